"""Worker processes for the steps that a Python thread cannot spread over the cores.

A Prefect task per shard stays what users see and what is retried; the work itself runs in one of these processes,
each with single-threaded libraries (two libraries with two threads each on two cores only wait for one another).
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from queue import PriorityQueue
from typing import ParamSpec, TypeVar

from mien.model.devices import compute_on, devices_in_force
from mien.tasks.errors import AbandonedError
from mien.tasks.runtime.hosts import Hosts, NoHostError, ThisMachine, Worker, hosts_in_force
from mien.tasks.runtime.hosts import available_cores as available_cores
from mien.tasks.runtime.limits import Step, WorkLimits, put_in_force
from mien.tasks.runtime.progress import Advance, progress
from mien.tasks.runtime.reports import Report, Ticked, report_to
from mien.tasks.runtime.reports import tick as tick  # where most of the work imports it from
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError

P = ParamSpec("P")
R = TypeVar("R")

_ANY: tuple[str, ...] = ()
"""Key of the processes that belong to no device: what `own_processes` gives for the CPU."""

_TAKEN_FOR_ONE_READY = 8
"""Seats for each shard that is made ready beside the first. To take a lease from an object store takes a twentieth of a
second, to make a shard a second or more."""
MAX_LOST = 5
"""Machines that may be lost under one piece of work. A machine that is taken away has nothing to do with the work, one
that fails again and again may have."""

_log = logging.getLogger("mien.tasks")


@dataclass(order=True)
class _Seat:
    """Place of one worker process."""

    turn: int
    """The lowest is taken first."""
    number: int = field(compare=False)
    process: Worker | None = field(compare=False, default=None)


class _Seats:
    """Places of processes of one kind. The one that was left last is taken first: little work starts few processes."""

    def __init__(self, number: int) -> None:
        # Some more than there are seats: what comes next is made ready while they are taken.
        self.turns = threading.BoundedSemaphore(number + 1 + number // _TAKEN_FOR_ONE_READY)
        self.all = [_Seat(each, each) for each in range(number)]
        self._free = PriorityQueue[_Seat]()
        for seat in self.all:
            self._free.put(seat)
        self._earlier, self._later = itertools.count(-1, -1), itertools.count(number)

    def take(self) -> _Seat:
        """One that is free, once there is one."""
        return self._free.get()

    def leave(self, seat: _Seat, last: bool = False) -> None:
        """It is free again. `last`: another one is to be taken first, if any is free."""
        seat.turn = next(self._later if last else self._earlier)
        self._free.put(seat)


class WorkerPool:
    """Runs functions in spawned processes. Safe to share between threads.

    A process is started when there is work for it. One that has died is replaced by the next work; the others go on.
    Work whose networks compute on the devices of a list has processes of its own, one for each (`model/devices.py`).
    """

    def __init__(self, workers: int, limits: WorkLimits | None = None, hosts: Hosts | None = None) -> None:
        self.limits = limits or WorkLimits()
        self.hosts = hosts or ThisMachine()
        self._lock = threading.Lock()
        self._seats: dict[tuple[str, ...], _Seats] = {_ANY: _Seats(workers)}
        self._abandoned = False
        self._advance: Advance | None = None

    @contextmanager
    def reporting(self, advance: Advance) -> Iterator[None]:
        """Passes on to `advance` what the work ticks while the block runs."""
        former, self._advance = self._advance, advance
        try:
            yield
        finally:
            self._advance = former

    def report(self, report: Report) -> None:
        """Takes what is said in the process of the pool itself: of shards that are there already."""
        if isinstance(report, Ticked):
            self._tick(report.units)

    def _tick(self, done: float) -> None:
        if done and self._advance is not None:
            self._advance(done)

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Result of `work(*args)`.

        Raises:
            WorkerDiedError: the process ended before.
            AbandonedError: nothing is begun any more.
        """
        return self.call(partial(work, *args, **kwargs))

    def call(self, work: Callable[[], R], step: Step = "item", *, networks: bool = False) -> R:
        """Result of the work, each of whose items, if it has any in hand, may take the time of `step`. `networks`:
        whether these take most of its time, so that it belongs into the process of a device."""
        seats, lost = self._seats_for(networks), 0
        allowed = Allowed(self.limits.seconds(step), self.limits.max_mib(len(seats.all)))
        while True:
            seat, waits = seats.take(), False
            try:
                worker, device = self._seated(seat), self.hosts.device_of(seat.number, devices_in_force())
                return worker.call(partial(_on_device, device, work), allowed, self._tick)
            except NoHostError:  # others may be free by now
                waits = True
            except WorkerDiedError as death:
                if self._abandoned:
                    raise AbandonedError("the run has ended") from death
                lost += 1
                if death.cause != "lost" or lost > MAX_LOST:
                    raise
                _log.warning("%s: its work is done again by another", death)
            finally:
                self._leave(seat)
                seats.leave(seat, last=waits)

    @contextmanager
    def turn(self, networks: bool) -> Iterator[None]:
        """The block runs when it is nearly its turn: what it calls waits for one other at most.

        Raises:
            AbandonedError: nothing is begun any more.
        """
        with self._seats_for(networks).turns:
            if self._abandoned:
                raise AbandonedError("the run has failed elsewhere")
            yield

    def places(self, networks: bool) -> int:
        """How many processes do such work at once."""
        return len(self._seats_for(networks).all)

    def _seats_for(self, networks: bool) -> _Seats:
        devices = self.hosts.own_processes(devices_in_force()) if networks else _ANY
        with self._lock:
            if devices not in self._seats:
                self._seats[devices] = _Seats(len(devices))
            return self._seats[devices]

    def _seated(self, seat: _Seat) -> Worker:
        with self._lock:
            if self._abandoned:
                raise AbandonedError("the run has failed elsewhere")
            if seat.process is not None and not seat.process.is_alive():
                seat.process.end()  # killed while it had nothing to do
                seat.process = None
            seat.process = seat.process or self.hosts.start(self.limits)
            return seat.process

    def _leave(self, seat: _Seat) -> None:
        with self._lock:
            left = seat.process
            if left is None or left.is_idle:
                return
            seat.process = None
        left.end()

    def abandon(self) -> None:
        """Nothing new is begun, what waits is given up with AbandonedError; what is in hand is finished."""
        with self._lock:
            self._abandoned = True

    def end(self) -> None:
        """Ends all processes at once. Work in hand is given up with AbandonedError."""
        self.abandon()
        with self._lock:
            seats = [seat for kind in self._seats.values() for seat in kind.all]
            processes = [seat.process for seat in seats if seat.process is not None]
        ending = [threading.Thread(target=process.end) for process in processes]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()

    def close(self) -> None:
        """Lets the processes end, each when it has finished what it has in hand."""
        self.abandon()
        with self._lock:
            kinds = list(self._seats.values())
        for seats in kinds:
            left = [seats.take() for _ in seats.all]
            for seat in left:
                if seat.process is not None:
                    seat.process.close()
                    seat.process = None
                seats.leave(seat)


def _on_device(device: str, work: Callable[[], R]) -> R:
    """Runs in a worker process, whose pool may serve flows with several devices."""
    compute_on([device])
    return work()


_pool: WorkerPool | None = None


@contextmanager
def worker_pool(workers: int | None, limits: WorkLimits | None = None) -> Iterator[None]:
    """While the block runs, `in_worker` uses `workers` processes on the hosts in force (default: one per core), and
    `on_device` one for each device in force, or the same where that is the CPU.

    Inside the block of another one it changes nothing: a pipeline starts its processes once.
    """
    global _pool
    if _pool is not None:
        yield
        return
    hosts, limits = hosts_in_force(), limits or WorkLimits()
    _pool = WorkerPool(hosts.processes(workers, limits), limits, hosts)
    former = put_in_force(_pool.limits)
    report_to(_pool.report)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):  # a signal: nobody is to wait
            _pool.end()
        raise
    finally:
        _pool.close()
        report_to(None)
        put_in_force(former)
        _pool = None


@contextmanager
def work_progress(title: str, total: float, unit: str) -> Iterator[None]:
    """Announces a step of `total` units that the work in the block ticks off."""
    with progress(title, total, unit) as advance:
        if _pool is None:
            yield
            return
        with _pool.reporting(advance):
            yield


def abandon_work() -> None:
    """The step in hand has failed: no worker begins anything more in this pool."""
    if _pool is not None:
        _pool.abandon()


def end_work() -> None:
    """The command ends: so do the workers."""
    if _pool is not None:
        _pool.end()


def places(networks: bool) -> int:
    """How many processes of the pool in force do such work; as many as there are cores where there is no pool."""
    return available_cores() if _pool is None else _pool.places(networks)


def are_elsewhere() -> bool:
    """Whether the processes of the pool in force may run other code than this one."""
    return _pool is not None and _pool.hosts.are_elsewhere


@contextmanager
def turn(networks: bool) -> Iterator[None]:
    """Waits with the block until a process of the pool in force is about to be free for it; at once if there is none.
    `networks`: whether these take most of the time of what the block does."""
    if _pool is None:
        yield
        return
    with _pool.turn(networks):
        yield


def in_worker(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs `work` in a process of the pool in force, or right here if there is none."""
    return work(*args, **kwargs) if _pool is None else _pool.run(work, *args, **kwargs)


def on_device(networks: bool, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """As `in_worker`; work of which networks take most of the time runs in the process of one of the devices."""
    whole = partial(work, *args, **kwargs)
    return whole() if _pool is None else _pool.call(whole, networks=networks)


def in_worker_by_steps(step: Step, networks: bool, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """As `on_device`, for work that says which items it has in hand: each may take the time of `step`."""
    whole = partial(work, *args, **kwargs)
    return whole() if _pool is None else _pool.call(whole, step, networks=networks)
