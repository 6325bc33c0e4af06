"""Work in spawned processes: results, ticks, and what happens when a process dies."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import mien
from mien.model.devices import compute_on, device_in_force
from mien.tasks.errors import AbandonedError, RunError
from mien.tasks.runtime.hosts import NoHostError, ThisMachine, working_on
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.worker_process import WorkerDiedError
from mien.tasks.runtime.workers import (
    MAX_LOST,
    WorkerPool,
    are_elsewhere,
    in_worker,
    in_worker_by_steps,
    on_device,
    places,
    tick,
    worker_pool,
)


def where(value: int) -> tuple[int, int, str]:
    tick(2)
    return value, os.getpid(), os.environ["OMP_NUM_THREADS"]


def code() -> str:
    return mien.__file__


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("the work's own error")


def test_work_runs_elsewhere_with_one_thread_and_its_ticks_arrive() -> None:
    ticks: list[float] = []
    pool = WorkerPool(1)
    try:
        with pool.reporting(ticks.append):
            value, pid, threads = pool.run(where, 7)
        assert ticks == [2]
    finally:
        pool.close()
    assert (value, threads) == (7, "1")
    assert pid != os.getpid()


def test_a_worker_runs_this_code_after_a_model_with_its_own_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As MLflow does with a registered generator, which carries mien.model alone.
    (tmp_path / "mien" / "model").mkdir(parents=True)
    for folder in ("mien", "mien/model"):
        (tmp_path / folder / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with worker_pool(1):
        assert in_worker(code) == mien.__file__
    assert sys.path[0] == str(tmp_path)


def test_without_a_pool_work_runs_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert in_worker(where, 3) == (3, os.getpid(), "1")


@pytest.mark.usefixtures("quick_workers")
def test_a_killed_process_is_an_error_of_one_line_and_the_next_work_has_a_new_one() -> None:
    with worker_pool(1):
        with pytest.raises(RunError, match="killed"):
            in_worker(die)
        assert in_worker(where, 5)[0] == 5


@pytest.mark.usefixtures("quick_workers")
def test_a_process_killed_between_two_works_is_replaced_unnoticed() -> None:
    pool = WorkerPool(1)
    try:
        _, worker, _ = pool.run(where, 1)
        os.kill(worker, signal.SIGKILL)
        time.sleep(1)  # until the pool has met its end
        value, other, _ = pool.run(where, 2)
    finally:
        pool.close()
    assert value == 2
    assert other != worker


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize("killed", [0, 1])
def test_a_pool_ends_though_a_worker_was_killed_while_it_waited_for_work(killed: int) -> None:
    others, pool = {child.pid for child in mp.active_children()}, WorkerPool(2)
    runs = [threading.Thread(target=pool.run, args=(time.sleep, 1.0)) for _ in range(2)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    pids = sorted(child.pid for child in mp.active_children() if child.pid and child.pid not in others)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    closing = threading.Thread(target=pool.close, daemon=True)
    closing.start()
    time.sleep(0.3)
    os.kill(pids[killed], signal.SIGKILL)
    os.kill(pids[1 - killed], signal.SIGCONT)
    closing.join(30)
    assert not closing.is_alive()
    assert not {child.pid for child in mp.active_children()} & set(pids)


def write_slowly(path: str) -> None:
    Path(f"{path}.begun").touch()
    time.sleep(1)
    Path(path).touch()


def begin_writing(path: Path) -> threading.Thread:
    thread = threading.Thread(target=in_worker, args=(write_slowly, str(path)))
    thread.start()
    while not Path(f"{path}.begun").exists():
        time.sleep(0.01)
    return thread


@pytest.mark.usefixtures("quick_workers")
def test_where_a_step_fails_what_is_in_hand_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "written"

    def fail_beside_it() -> None:
        with worker_pool(1):
            begin_writing(path)
            fail()

    with pytest.raises(ValueError, match="the work's own error"):
        fail_beside_it()
    assert path.exists()


@pytest.mark.usefixtures("quick_workers")
def test_the_death_of_one_process_costs_the_others_nothing(tmp_path: Path) -> None:
    path = tmp_path / "written"
    with worker_pool(2):
        thread = begin_writing(path)
        with pytest.raises(RunError, match="killed"):
            in_worker(die)
        thread.join()
    assert path.exists()


@pytest.mark.usefixtures("quick_workers")
def test_an_error_of_the_work_arrives_as_it_is() -> None:
    with worker_pool(1), pytest.raises(ValueError, match="the work's own error"):
        in_worker(fail)


# --- Other machines ---------------------------------------------------------------------------------------------------


class FakeWorker:
    """A process on another machine: `NO_ROOM` where it has none, `LOST` where that is taken away."""

    NO_ROOM, LOST = "no room", "lost"

    def __init__(self, number: int, script: list[str], done: list[int]) -> None:
        self.number, self.is_idle = number, True
        self._script, self._done = script, done

    def is_alive(self) -> bool:
        return self.is_idle

    def call(self, work: Callable[[], Any], _allowed: object, _advance: object) -> Any:
        happens = self._script.pop(0) if self._script else ""
        if happens == self.NO_ROOM:
            raise NoHostError
        if happens == self.LOST:
            self.is_idle = False
            raise WorkerDiedError("lost", "the machine is gone", None)
        self._done.append(self.number)
        return work()

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


class FakeMachines(ThisMachine):
    """Whose workers do, one after the other, what the scripts say."""

    are_elsewhere = True

    def __init__(self, *scripts: list[str]) -> None:
        self._scripts = list(scripts)
        self.done: list[int] = []
        self.started = 0

    def start(self, _limits: WorkLimits) -> FakeWorker:
        self.started += 1
        return FakeWorker(self.started, self._scripts.pop(0) if self._scripts else [], self.done)


def test_work_of_a_machine_that_is_lost_is_done_by_another(caplog: pytest.LogCaptureFixture) -> None:
    machines = FakeMachines(["", FakeWorker.LOST], [FakeWorker.LOST])
    pool = WorkerPool(1, hosts=machines)
    assert [pool.run(int, text) for text in ("1", "2", "3")] == [1, 2, 3]
    assert machines.done == [1, 3, 3]
    assert caplog.messages == ["a worker process was lost: the machine is gone: its work is done again by another"] * 2


def test_work_under_which_machine_after_machine_is_lost_is_given_up() -> None:
    machines = FakeMachines(*([FakeWorker.LOST] for _ in range(MAX_LOST + 1)))
    with pytest.raises(WorkerDiedError, match="the machine is gone"):
        WorkerPool(1, hosts=machines).run(int, "1")
    assert machines.started == MAX_LOST + 1


def test_work_does_not_wait_for_a_machine_while_another_one_is_free() -> None:
    machines = FakeMachines([FakeWorker.NO_ROOM] * 3)
    pool = WorkerPool(2, hosts=machines)
    assert [pool.run(int, text) for text in ("1", "2")] == [1, 2]
    assert machines.done == [2, 2]
    assert machines.started == 2, "what waits for a machine goes on waiting"


def test_where_there_is_no_other_one_work_waits_for_the_machine() -> None:
    machines = FakeMachines([FakeWorker.NO_ROOM] * 3)
    assert WorkerPool(1, hosts=machines).run(int, "1") == 1
    assert (machines.done, machines.started) == ([1], 1)


def test_a_pool_that_is_given_up_waits_for_no_machine() -> None:
    machines = FakeMachines([FakeWorker.NO_ROOM] * 10**6)
    pool = WorkerPool(1, hosts=machines)
    threading.Timer(0.2, pool.abandon).start()
    with pytest.raises(AbandonedError):
        pool.run(int, "1")


def test_a_pool_takes_the_hosts_in_force_and_knows_that_they_are_elsewhere() -> None:
    assert not are_elsewhere()
    with working_on(FakeMachines()), worker_pool(3):
        assert places(networks=False) == 3
        assert are_elsewhere()
        assert in_worker(int, "4") == 4


# --- Devices ----------------------------------------------------------------------------------------------------------


@contextmanager
def in_force(*devices: str) -> Iterator[None]:
    """The names alone: whether there are such devices is not asked."""
    former = compute_on(devices)
    yield
    compute_on(former)


def beside(folder: Path, number: int, of: int) -> tuple[int, str]:
    """Process and device, told when as many are at work at once."""
    (folder / str(number)).touch()
    until = time.monotonic() + 60
    while len(list(folder.iterdir())) < of and time.monotonic() < until:
        time.sleep(0.01)
    return os.getpid(), device_in_force()


def at_once(folder: Path, works: int, networks: bool = True) -> list[tuple[int, str]]:
    folder.mkdir()
    with ThreadPoolExecutor(works) as threads:
        return list(threads.map(lambda number: on_device(networks, beside, folder, number, works), range(works)))


@pytest.mark.usefixtures("quick_workers")
def test_each_device_has_a_process_of_its_own_and_other_work_goes_elsewhere(tmp_path: Path) -> None:
    with worker_pool(1), in_force("cuda:0", "cuda:1"):
        plain, first = in_worker(os.getpid), at_once(tmp_path / "first", 2)
        again = at_once(tmp_path / "again", 2)
        assert {device for _, device in first} == {"cuda:0", "cuda:1"}
        assert len({plain, *(process for process, _ in first)}) == 3
        assert set(again) == set(first), "a process keeps its device"
        assert in_worker(device_in_force) == "cuda:0", "the kind of device is known where no network computes"
        assert in_worker_by_steps("item", True, os.getpid) in {process for process, _ in first}
        assert in_worker_by_steps("item", False, os.getpid) == plain
        assert on_device(False, os.getpid) == plain
        assert (places(networks=True), places(networks=False)) == (2, 1)


@pytest.mark.usefixtures("quick_workers")
def test_a_device_that_stands_twice_has_two_processes_and_no_third(tmp_path: Path) -> None:
    with worker_pool(1), in_force("cpu", "cpu"):
        two = at_once(tmp_path / "two", 2)
        assert {device for _, device in two} == {"cpu"}
        assert len({process for process, _ in two}) == 2
        with ThreadPoolExecutor(6) as threads:
            later = set(threads.map(lambda _: on_device(True, os.getpid), range(6)))
        assert later <= {process for process, _ in two}


@pytest.mark.usefixtures("quick_workers")
def test_on_the_cpu_networks_compute_in_every_worker(tmp_path: Path) -> None:
    with worker_pool(2), in_force("cpu"):
        assert {process for process, _ in at_once(tmp_path / "both", 2)} >= {in_worker(os.getpid)}
        assert places(networks=True) == 2


@pytest.mark.usefixtures("quick_workers")
def test_workers_take_turns_over_the_devices_for_work_that_is_mostly_the_processors(tmp_path: Path) -> None:
    with worker_pool(3), in_force("cuda:0", "cuda:1"):
        assert sorted(device for _, device in at_once(tmp_path / "three", 3, networks=False)) == [
            "cuda:0",
            "cuda:0",
            "cuda:1",
        ]


@pytest.mark.usefixtures("quick_workers")
def test_a_process_of_a_device_that_died_is_replaced_on_the_same_device() -> None:
    with worker_pool(1), in_force("cuda:1"):
        with pytest.raises(RunError, match="killed"):
            on_device(True, die)
        assert on_device(True, device_in_force) == "cuda:1"


PARENT = """
import os, sys
from mien.tasks.runtime.workers import in_worker, worker_pool
from tests.unit.tasks.runtime.test_workers import where
import time
if __name__ == "__main__":
    with worker_pool(1):
        print(in_worker(where, 1)[1], flush=True)
        time.sleep(60)
"""


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the worker is still there 10 s after its parent was killed")
