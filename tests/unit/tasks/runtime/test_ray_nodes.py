"""Workers of a Ray cluster, with a small fake in the place of Ray. The real one: tests/integration/test_ray.py."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from mien.model.devices import compute_on
from mien.tasks.errors import HopelessError, UsageError
from mien.tasks.runtime import ray_nodes
from mien.tasks.runtime.hosts import NoHostError
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.node_worker import Answer, Seen
from mien.tasks.runtime.ray_nodes import MAX_WORKERS, RayNodes
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError

SEEN, ALLOWED = Seen("root", "runs/x.json", "/"), Allowed(60, 4096)
LIMITS = WorkLimits()


class FakeRay:
    """A cluster whose only worker says what `look` and `messages` have; an error among them is raised."""

    def __init__(self, *nodes: dict[str, float]) -> None:
        self._nodes = nodes
        self.has_room = True
        self.look: Any = ("head", None)
        self.messages: list[Any] = []
        self.options: dict[str, Any] = {}
        self.killed = 0

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": each} for each in self._nodes]

    def remote(self, _actor: type) -> Any:
        call = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._call))
        made = SimpleNamespace(look=SimpleNamespace(remote=lambda: self.look), call=call)
        return SimpleNamespace(options=lambda **given: self._started(given, made))

    def _started(self, given: dict[str, Any], made: Any) -> Any:
        self.options = given
        return SimpleNamespace(remote=lambda *_: made)

    def _call(self, job: bytes, _allowed: object) -> Iterator[Any]:
        for message in self.messages:
            yield Answer(pickle.loads(job)()) if message == "work" else message

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return (references, []) if self.has_room else ([], references)

    def get(self, reference: Any) -> Any:
        if isinstance(reference, Exception):
            raise reference
        return reference

    def is_initialized(self) -> bool:
        return True

    def kill(self, _actor: object) -> None:
        self.killed += 1


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    made = FakeRay({"CPU": 4.0, "GPU": 1.0}, {"CPU": 6.5}, {})
    monkeypatch.setattr(ray_nodes, "ray", made)
    return made


@pytest.mark.parametrize(
    ("limits", "room"),
    [
        (WorkLimits(), 4 + 6),
        (WorkLimits(ray_cpus=3), 1 + 2),
        (WorkLimits(ray_cpus=0.5), 8 + 13),
        (WorkLimits(ray_gpus=0.25), 4),
        (WorkLimits(ray_gpus=1), 1),
    ],
)
@pytest.mark.usefixtures("ray")
def test_there_are_as_many_workers_as_the_nodes_have_room_for(limits: WorkLimits, room: int) -> None:
    assert RayNodes(SEEN).processes(None, limits) == room
    assert RayNodes(SEEN).processes(30, limits) == 30, "nodes may be still to come"


@pytest.mark.usefixtures("ray")
def test_workers_that_no_node_has_room_for_are_refused() -> None:
    with pytest.raises(UsageError, match="no node of the Ray cluster has 1 CPUs and 2 GPUs for a worker: lower ray_"):
        RayNodes(SEEN).processes(None, WorkLimits(ray_gpus=2))
    with pytest.raises(UsageError, match="at most 256 workers"):
        RayNodes(SEEN).processes(MAX_WORKERS + 1, LIMITS)


@pytest.mark.usefixtures("ray")
def test_networks_on_gpus_need_workers_that_have_some() -> None:
    nodes, former = RayNodes(SEEN), compute_on(["cuda:1"])
    try:
        with pytest.raises(UsageError, match="set ray_gpus in the section work"):
            nodes.processes(None, LIMITS)
        assert nodes.processes(None, WorkLimits(ray_gpus=0.5)) == 2
    finally:
        compute_on(former)
    assert nodes.device_of(3, ("cuda:1", "cuda:2")) == "cuda:0"
    assert nodes.device_of(3, ("cpu",)) == "cpu"
    assert nodes.own_processes(("cuda:1",)) == ()


def test_a_worker_takes_what_the_settings_say_and_its_units_and_answer_arrive(ray: FakeRay) -> None:
    units: list[float] = []
    worker = RayNodes(SEEN).start(WorkLimits(ray_cpus=2, ray_gpus=0.5))
    assert {name: ray.options[name] for name in ("num_cpus", "num_gpus", "max_restarts")} == {
        "num_cpus": 2,
        "num_gpus": 0.5,
        "max_restarts": 0,
    }
    ray.messages = [2.0, 3.0, "work"]
    assert worker.call(os.getcwd, ALLOWED, units.append) == os.getcwd()
    assert units == [2.0, 3.0]
    assert worker.is_idle
    worker.close()
    assert ray.killed == 1


def test_an_error_of_the_work_is_raised_and_the_worker_stays(ray: FakeRay) -> None:
    worker = RayNodes(SEEN).start(LIMITS)
    ray.messages = [Answer(error=ValueError("the work's own error"))]
    with pytest.raises(ValueError, match="the work's own error"):
        worker.call(os.getcwd, ALLOWED, lambda _: None)
    assert worker.is_idle


def test_a_crash_of_an_item_arrives_with_the_item(ray: FakeRay) -> None:
    worker = RayNodes(SEEN).start(LIMITS)
    ray.messages = [Answer(error=WorkerDiedError("crash", "SIGSEGV", range(7, 8)))]
    with pytest.raises(WorkerDiedError) as death:
        worker.call(os.getcwd, ALLOWED, lambda _: None)
    assert death.value.in_hand == range(7, 8)


def test_a_lost_node_takes_back_the_units_that_are_to_be_done_again(ray: FakeRay) -> None:
    units: list[float] = []
    worker = RayNodes(SEEN).start(LIMITS)
    ray.messages = [2.0, 3.0, ActorDiedError()]
    with pytest.raises(WorkerDiedError, match=r"was lost: head is gone \(ActorDiedError\)") as death:
        worker.call(os.getcwd, ALLOWED, units.append)
    assert (death.value.cause, death.value.in_hand) == ("lost", None)
    assert sum(units) == 0
    assert not worker.is_idle
    assert not worker.is_alive()


def test_a_worker_without_a_node_has_begun_nothing(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = RayNodes(SEEN).start(LIMITS)
    ray.has_room, ray.messages = False, ["work"]
    with pytest.raises(NoHostError):
        worker.call(os.getcwd, ALLOWED, lambda _: None)
    assert worker.is_idle
    monkeypatch.setattr(ray_nodes, "_NO_ROOM_S", -1.0)
    with pytest.raises(HopelessError, match="no node of the Ray cluster has had 1 CPUs for a worker in"):
        worker.call(os.getcwd, ALLOWED, lambda _: None)
    ray.has_room = True
    assert worker.call(os.getcwd, ALLOWED, lambda _: None) == os.getcwd()


def test_a_node_that_is_of_no_use_is_named(ray: FakeRay) -> None:
    ray.look = ("node-2", "does not see ./data: take a folder that all nodes share")
    with pytest.raises(HopelessError, match=r"the node node-2 of the Ray cluster does not see \./data: take a folder"):
        RayNodes(SEEN).start(LIMITS).call(os.getcwd, ALLOWED, lambda _: None)


def test_a_node_without_this_code_is_told_of(ray: FakeRay) -> None:
    error = ActorDiedError()
    error.args = ("The actor died because of an error raised in its creation task\n  ModuleNotFoundError: mien\n",)
    error.error_msg = error.args[0]
    ray.look = error
    with pytest.raises(HopelessError, match=r"install the same mien on all nodes \(ModuleNotFoundError: mien\)"):
        RayNodes(SEEN).start(LIMITS).call(os.getcwd, ALLOWED, lambda _: None)
