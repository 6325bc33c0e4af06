"""Worker processes for the steps that a Python thread cannot spread over the cores.

A Prefect task per shard stays what users see and what is retried; the work itself runs in one of these processes,
each with single-threaded libraries (two libraries with two threads each on two cores only wait for one another).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from mien.model.devices import compute_on, device_in_force
from mien.tasks.errors import AbandonedError
from mien.tasks.runtime.limits import Step, WorkLimits, put_in_force
from mien.tasks.runtime.progress import Advance, progress
from mien.tasks.runtime.reports import Report, Ticked, report_to
from mien.tasks.runtime.reports import tick as tick  # where most of the work imports it from
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError, WorkerProcess

P = ParamSpec("P")
R = TypeVar("R")


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerPool:
    """Runs functions in spawned processes. Safe to share between threads.

    A process is started when there is work for it. One that has died is replaced by the next work; the others go on.
    """

    def __init__(self, workers: int, limits: WorkLimits | None = None) -> None:
        self.limits = limits or WorkLimits()
        self._mib = self.limits.max_mib(workers)
        self._workers = workers
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._busy: list[WorkerProcess] = []
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

    def call(self, work: Callable[[], R], step: Step = "item") -> R:
        """Result of the work, each of whose items, if it has any in hand, may take the time of `step`."""
        allowed = Allowed(self.limits.seconds(step), self._mib)
        work = partial(_on_device, device_in_force(), work)
        with self._free:
            worker = self._take()
            try:
                return worker.call(work, allowed, self._tick)
            except WorkerDiedError as death:
                if self._abandoned:
                    raise AbandonedError("the run has ended") from death
                raise
            finally:
                self._put_back(worker)

    def _take(self) -> WorkerProcess:
        with self._lock:
            if self._abandoned:
                raise AbandonedError("the run has failed elsewhere")
            while self._idle and not self._idle[-1].is_alive():
                self._idle.pop().end()  # killed while it had nothing to do
            worker = self._idle.pop() if self._idle else WorkerProcess(self.limits)
            self._busy.append(worker)
            return worker

    def _put_back(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._busy.remove(worker)
            if worker.is_idle:
                self._idle.append(worker)
        if not worker.is_idle:
            worker.end()

    def abandon(self) -> None:
        """Nothing new is begun, what waits is given up with AbandonedError; what is in hand is finished."""
        with self._lock:
            self._abandoned = True

    def end(self) -> None:
        """Ends all processes at once. Work in hand is given up with AbandonedError."""
        self.abandon()
        with self._lock:
            processes = [*self._busy, *self._idle]
        ending = [threading.Thread(target=process.end) for process in processes]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()

    def close(self) -> None:
        """Lets the processes end, each when it has finished what it has in hand."""
        self.abandon()
        for _ in range(self._workers):
            self._free.acquire()
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()
        self._free.release(self._workers)


def _on_device(device: str, work: Callable[[], R]) -> R:
    """Runs in a worker process, whose pool may serve flows with several devices."""
    compute_on(device)
    return work()


_pool: WorkerPool | None = None


@contextmanager
def worker_pool(workers: int | None, limits: WorkLimits | None = None) -> Iterator[None]:
    """While the block runs, `in_worker` uses `workers` processes (default: one per core).

    Inside the block of another one it changes nothing: a pipeline starts its processes once.
    """
    global _pool
    if _pool is not None:
        yield
        return
    _pool = WorkerPool(workers or available_cores(), limits)
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


def in_worker(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs `work` in a process of the pool in force, or right here if there is none (a Ray worker is one)."""
    return work(*args, **kwargs) if _pool is None else _pool.run(work, *args, **kwargs)


def in_worker_by_steps(step: Step, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """As `in_worker`, for work that says which items it has in hand: each may take the time of `step`."""
    return work(*args, **kwargs) if _pool is None else _pool.call(partial(work, *args, **kwargs), step)
