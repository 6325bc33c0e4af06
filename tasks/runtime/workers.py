"""Worker processes for the steps that a Python thread cannot spread over the cores.

A Prefect task per shard stays what users see and what is retried; the work itself runs in one of these processes,
each with single-threaded libraries (two libraries with two threads each on two cores only wait for one another).
Processes are spawned: s3fs and ONNX Runtime do not survive a fork.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import ParamSpec, TypeVar

import mien
from mien.tasks.errors import AbandonedError, RunError
from mien.tasks.runtime.progress import Advance, progress

P = ParamSpec("P")
R = TypeVar("R")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""What the libraries of a worker take their number of threads from: one."""

_PATIENCE_S = 10.0
"""How long idle workers may take to end."""

_ticks: SimpleQueue[float | None] | None = None


def tick(done: float = 1.0) -> None:
    """Called where the work is done, mostly in a worker process: so many units are done."""
    if _ticks is not None:
        _ticks.put(done)


def _start_worker(ticks: SimpleQueue[float | None]) -> None:
    # Runs before any heavy import, since unpickling the work is what imports it.
    global _ticks
    _ticks = ticks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, however that ended: no worker outlives a killed run."""
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _own_code() -> Iterator[None]:
    """While the block runs, a process that is started imports the same `mien` as this one.

    A registered generator carries its own copy of `mien.model`, and loading one with MLflow puts that copy first on
    `sys.path`, which a spawned process takes over: it would run the code of the generator, or find no `mien.tasks`.
    """
    former = sys.path
    sys.path = [entry for entry in former if not _has_other_code(entry)]
    try:
        yield
    finally:
        sys.path = former


def _has_other_code(entry: str) -> bool:
    package = Path(entry) / "mien" / "__init__.py"
    return package.exists() and not package.samefile(mien.__file__)


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerPool:
    """Runs functions in spawned processes. Safe to share between threads."""

    def __init__(self, workers: int) -> None:
        self._context = mp.get_context("spawn")
        self._workers = workers
        self.ticks: SimpleQueue[float | None] = self._context.SimpleQueue()
        self._lock = threading.Lock()
        self._abandoned = False
        self._executor = self._new_executor()

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, self._context, _start_worker, (self.ticks,))

    @contextmanager
    def reporting(self, advance: Advance) -> Iterator[None]:
        """Passes on to `advance` what the work ticks while the block runs, all of it before the block ends."""
        reader = threading.Thread(target=self._pass_on, args=(advance,), daemon=True)
        reader.start()
        try:
            yield
        finally:
            self.ticks.put(None)
            reader.join()

    def _pass_on(self, advance: Advance) -> None:
        while (done := self.ticks.get()) is not None:
            advance(done)

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Result of `work(*args)`; raises RunError if the process died, after which the next call has new ones."""
        executor, future = self._submitted(work, *args, **kwargs)
        try:
            return future.result()
        except CancelledError as error:
            raise AbandonedError("the run has failed elsewhere") from error
        except BrokenProcessPool as error:
            with self._lock:
                if self._executor is executor:
                    self._executor = self._new_executor()
            raise RunError("a worker process was killed (out of memory?): try again, with fewer --workers") from error

    def _submitted(
        self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[ProcessPoolExecutor, Future[R]]:
        with self._lock:
            if self._abandoned:
                raise AbandonedError("the run has failed elsewhere")
            with _own_code():  # processes are started as work comes in
                try:
                    return self._executor, self._executor.submit(work, *args, **kwargs)
                except BrokenProcessPool:  # a process was killed, and nobody has met it yet
                    self._executor = self._new_executor()
                    return self._executor, self._executor.submit(work, *args, **kwargs)

    def abandon(self) -> None:
        """Nothing new is begun, what waits is given up with AbandonedError; what is in hand is finished."""
        with self._lock:
            self._abandoned = True
            self._executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Ends the processes, and insists: one that was killed while it took work has left a lock behind, for which the
        others would wait for ever.
        """
        processes = list((self._executor._processes or {}).values())  # pyright: ignore[reportPrivateUsage]
        self._executor.shutdown(wait=False, cancel_futures=True)
        end_s = time.monotonic() + _PATIENCE_S
        for process in processes:
            process.join(max(0.0, end_s - time.monotonic()))
            process.kill()
            process.join()


_pool: WorkerPool | None = None


@contextmanager
def worker_pool(workers: int | None) -> Iterator[None]:
    """While the block runs, `in_worker` uses `workers` processes (default: one per core).

    Inside the block of another one it changes nothing: a pipeline starts its processes once.
    """
    global _pool, _ticks
    if _pool is not None:
        yield
        return
    _pool = WorkerPool(workers or available_cores())
    _ticks = _pool.ticks
    try:
        yield
    finally:
        _pool.close()
        _pool = _ticks = None


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


def in_worker(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs `work` in a process of the pool in force, or right here if there is none (a Ray worker is one)."""
    return work(*args, **kwargs) if _pool is None else _pool.run(work, *args, **kwargs)
