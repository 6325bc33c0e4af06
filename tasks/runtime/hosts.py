"""Where the processes of a worker pool run: on this machine, or on the nodes of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from mien.model.devices import device_of, own_processes
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.worker_process import Allowed, WorkerProcess

R = TypeVar("R")


class NoHostError(Exception):
    """No machine has had room for the process yet."""


class Worker(Protocol):
    """A process that does work, seen from the pool."""

    is_idle: bool
    """Whether it has answered all that it was called for, be it with an error of the work's own."""

    def is_alive(self) -> bool:
        """Whether it can take work, as far as is known."""
        ...

    def call(self, work: Callable[[], R], allowed: Allowed, advance: Callable[[float], None]) -> R:
        """As `WorkerProcess.call`.

        Raises:
            WorkerDiedError: the process ended before. It is of no use any more.
            NoHostError: it has no machine yet, and nothing was begun.
        """
        ...

    def end(self) -> None:
        """Ends it, at once if need be. May be called from any thread."""
        ...

    def close(self) -> None:
        """Lets it end by itself, since it has no work."""
        ...


class Hosts(Protocol):
    """The machines of a pool."""

    are_elsewhere: bool
    """Whether other code may be installed there."""

    def processes(self, workers: int | None, limits: WorkLimits) -> int:
        """How many processes there are to be, where a user asks for so many workers.

        Raises:
            UsageError: there cannot be any.
        """
        ...

    def start(self, limits: WorkLimits) -> Worker:
        """A process."""
        ...

    def own_processes(self, devices: Sequence[str]) -> tuple[str, ...]:
        """The device of each process that computes networks alone, on devices that a user asks for."""
        ...

    def device_of(self, process: int, devices: Sequence[str]) -> str:
        """What the process of this number computes on."""
        ...


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThisMachine:
    """Implements `Hosts`."""

    are_elsewhere = False

    def processes(self, workers: int | None, limits: WorkLimits) -> int:
        """As many as a user asks for; one for each core where none does."""
        return workers or available_cores()

    def start(self, limits: WorkLimits) -> Worker:
        """Spawns one."""
        return WorkerProcess(limits)

    def own_processes(self, devices: Sequence[str]) -> tuple[str, ...]:
        """One for each GPU."""
        return own_processes(devices)

    def device_of(self, process: int, devices: Sequence[str]) -> str:
        """They take turns over the devices."""
        return device_of(process, devices)


_in_force: ContextVar[Hosts | None] = ContextVar("hosts of this run", default=None)


@contextmanager
def working_on(hosts: Hosts) -> Iterator[None]:
    """While the block runs, worker pools that are made have their processes there."""
    token = _in_force.set(hosts)
    try:
        yield
    finally:
        _in_force.reset(token)


def hosts_in_force() -> Hosts:
    """Where worker pools have their processes; this machine where nobody has told."""
    return _in_force.get() or ThisMachine()
