"""The nodes of a Ray cluster as hosts of worker pools. The only module that imports Ray when it is imported.

Task runs, leases and progress stay in the process of the flow. What Ray does is to keep an actor for each worker of the
pool on some node, with the CPUs and GPUs that the settings say (`tasks/runtime/node_worker.py`).
"""

from __future__ import annotations

import logging
import pickle  # nosec B403 # what goes to the nodes of the user's own cluster
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from mien.model.devices import CPU, device_kind, devices_in_force
from mien.tasks.errors import HopelessError, UsageError
from mien.tasks.runtime.hosts import NoHostError, Worker
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.node_worker import Answer, NodeWorker, Seen
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError

R = TypeVar("R")

MAX_WORKERS = 256
"""Of one run: each has a thread and a lease in the process of the flow."""
_ROOM_S = 5.0
"""For a node to take a worker, until another worker that is free does its work."""
_NO_ROOM_S = 900.0
"""Without a sign of any worker, while some wait for a node: a cluster that grows starts machines within minutes."""
_TOLD_S = 60.0

_log = logging.getLogger("mien.tasks")


class RayNodes:
    """Implements `Hosts`: every worker does all kinds of work, networks on the GPUs that Ray gives it."""

    are_elsewhere = True

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._sign_s = self._told_s = time.monotonic()
        self._lock = threading.Lock()

    def processes(self, workers: int | None, limits: WorkLimits) -> int:
        """As many as a user asks for, though not all may have a node yet; where none does, as there is room for."""
        if device_kind(devices_in_force()[0]) != CPU and not limits.ray_gpus:
            raise UsageError(
                "the workers of a Ray cluster have no GPU unless the settings say so: set ray_gpus in the section "
                "work, or compute with --device cpu"
            )
        if workers is not None and workers > MAX_WORKERS:
            raise UsageError(
                f"one run keeps at most {MAX_WORKERS} workers of a Ray cluster: start several, with --rank and "
                "--world-size"
            )
        room = sum(_room(node["Resources"], limits) for node in ray.nodes() if node["Alive"])
        if workers is None and not room:
            raise UsageError(
                f"no node of the Ray cluster has {_needs(limits)} for a worker: lower ray_cpus and ray_gpus of the "
                "settings, or say --workers N where nodes are still to come"
            )
        return workers or min(room, MAX_WORKERS)

    def start(self, limits: WorkLimits) -> Worker:
        """An actor, which may have no node yet."""
        return RayWorker(self, limits, self._seen)

    def own_processes(self, devices: Sequence[str]) -> tuple[str, ...]:
        """None: a worker on the CPU and one with a GPU are one kind of actor."""
        return ()

    def device_of(self, process: int, devices: Sequence[str]) -> str:
        """An actor sees the GPUs that are its own, and no others."""
        return CPU if device_kind(devices[0]) == CPU else "cuda:0"

    def sign(self) -> None:
        """A worker has answered."""
        self._sign_s = time.monotonic()

    def no_room(self, limits: WorkLimits) -> None:
        """A worker has waited for a node.

        Raises:
            HopelessError: for too long, and no other worker has answered meanwhile.
        """
        now_s = time.monotonic()
        with self._lock:
            if now_s - self._sign_s > _NO_ROOM_S:
                raise HopelessError(
                    f"no node of the Ray cluster has had {_needs(limits)} for a worker in {_NO_ROOM_S / 60:g} minutes: "
                    "see ray status, and start the command again when there are nodes"
                )
            if now_s - self._told_s > _TOLD_S:
                self._told_s = now_s
                _log.warning("waiting for a node of the Ray cluster that has %s", _needs(limits))


def _room(resources: Mapping[str, float], limits: WorkLimits) -> int:
    room = resources.get("CPU", 0.0) / limits.ray_cpus
    return int(min(room, resources.get("GPU", 0.0) / limits.ray_gpus) if limits.ray_gpus else room)


def _needs(limits: WorkLimits) -> str:
    gpus = f" and {limits.ray_gpus:g} GPUs" if limits.ray_gpus else ""
    return f"{limits.ray_cpus:g} CPUs{gpus}"


class RayWorker:
    """Implements `Worker`: an actor on a node of the cluster."""

    def __init__(self, nodes: RayNodes, limits: WorkLimits, seen: Seen) -> None:
        self._nodes, self._limits = nodes, limits
        actor: Any = ray.remote(NodeWorker)
        self._actor = actor.options(
            num_cpus=limits.ray_cpus, num_gpus=limits.ray_gpus, max_restarts=0, max_task_retries=0
        ).remote(limits, seen)
        self._look = self._actor.look.remote()
        self._node: str | None = None
        self._is_lost = False
        self.is_idle = True

    def is_alive(self) -> bool:
        """Unless it is known to be lost."""
        return not self._is_lost

    def call(self, work: Callable[[], R], allowed: Allowed, advance: Callable[[float], None]) -> R:
        """As `Worker.call`."""
        done, is_over = 0.0, False
        try:
            self._wait_for_node()
            self.is_idle = False
            for reference in self._actor.call.options(num_returns="streaming").remote(pickle.dumps(work), allowed):
                message: Any = ray.get(reference)
                self._nodes.sign()
                if isinstance(message, Answer):
                    is_over = True
                    self.is_idle = not isinstance(message.error, WorkerDiedError)
                    break
                done += message
                advance(message)
            else:
                raise RuntimeError("a worker of the Ray cluster has ended without an answer")
        except RayTaskError:  # a fault of this code on the node
            raise
        except RayError as error:
            self._is_lost, self.is_idle = True, False
            raise self._lost(error) from error
        finally:
            if not is_over:
                advance(-done)
        if message.error is not None:
            raise message.error
        return message.result

    def _wait_for_node(self) -> None:
        if self._node is not None:
            return
        if not ray.wait([self._look], timeout=_ROOM_S)[0]:
            self._nodes.no_room(self._limits)
            raise NoHostError
        node, problem = ray.get(self._look)
        self._nodes.sign()
        if problem is not None:
            raise HopelessError(f"the node {node} of the Ray cluster {problem}")
        self._node = node

    def _lost(self, error: RayError) -> Exception:
        text = str(error)
        if "creation task" in text:  # it has died of what it was made of
            return HopelessError(
                f"a worker cannot start on the Ray cluster; install the same mien on all nodes ({_last_line(text)})"
            )
        return WorkerDiedError("lost", f"{self._node or 'a node'} is gone ({type(error).__name__})", None)

    def end(self) -> None:
        """Ends the actor, and its worker process with it."""
        self._is_lost = True
        if ray.is_initialized():
            with suppress(RayError):
                ray.kill(self._actor)

    def close(self) -> None:
        """The same: it has nothing in hand."""
        self.end()


def _last_line(text: str) -> str:
    return [line.strip() for line in text.splitlines() if line.strip()][-1]
