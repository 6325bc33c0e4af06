"""One worker process: what it does, and how its parent sees it end.

    parent   job ─────────────►   child     a call, pickled
             ◄───────── reports             `tasks/runtime/reports.py`, while the call runs
             ◄───────── outcome             the result, or the error

Each process has a pipe of its own. So when it dies, whatever killed it, only its own call is lost, and no lock that it
held is missing elsewhere. `ProcessPoolExecutor` ends all processes when one dies, and does not say which work did it.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import pickle  # nosec B403 # between this process and its own children
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

import mien
from mien.tasks.errors import RunError
from mien.tasks.runtime.limits import WorkLimits, put_in_force
from mien.tasks.runtime.reports import Clock, InHand, Report, Ticked, report_to

R = TypeVar("R")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""What the libraries of a worker take their number of threads from: one."""
_LOOK_S = 0.25
"""Between two looks at the time and the memory of an item."""
_END_S = 1.0
"""For a process to end by itself; what it writes is then whole or gone."""

Cause = Literal["crash", "time", "memory", "killed", "lost"]
_HOW: dict[Cause, str] = {
    "crash": "crashed ({})",
    "time": "was ended: an item took longer than {}",
    "memory": "took more memory than {}: try again, with fewer --workers",
    "killed": "was killed ({}; out of memory?): try again, with fewer --workers",
    "lost": "was lost: {}",
}
_TERMINATED = 128 + signal.SIGTERM
"""Exit code of a worker process that somebody has told to end."""
_CRASHES = {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}


@dataclass(frozen=True)
class Allowed:
    """What an item may take."""

    seconds: float
    mib: int


class WorkerDiedError(RunError):
    """A worker process ended before its work was done; or had to be ended, since an item took too much."""

    def __init__(self, cause: Cause, detail: str, in_hand: range | None) -> None:
        super().__init__(f"a worker process {_HOW[cause].format(detail)}")
        self.cause: Cause = cause
        self.detail = detail
        """The signal, or what was exceeded."""
        self.in_hand = in_hand
        """The items that it had in hand; None where it had not begun with any, or was done with all."""

    def __reduce__(self) -> tuple[type[WorkerDiedError], tuple[Cause, str, range | None]]:
        return WorkerDiedError, (self.cause, self.detail, self.in_hand)


# --- In the child -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Outcome:
    result: Any = None
    error: Exception | None = None


def _work(pipe: Connection, limits: WorkLimits) -> None:
    """Runs what comes through the pipe until it is closed."""
    # Before any heavy import, since unpickling the work is what imports it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, _terminate)
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    put_in_force(limits)
    sending = threading.Lock()

    def send(message: Report | _Outcome) -> None:
        with sending:
            pipe.send(message)

    report_to(send)
    while True:
        try:
            _answer(pipe.recv_bytes(), send)
        except (EOFError, OSError):  # the parent has closed its end
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return


def _terminate(*_: object) -> None:
    """Unwinds, which deletes half-written files. Once: Python prints a trace of what comes while it ends."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(_TERMINATED)


def _answer(job: bytes, send: Callable[[_Outcome], None]) -> None:
    try:
        # The parent pickled it, as `multiprocessing` does with what goes through its pipes. To unpickle it imports the
        # work and may fail, which is an answer, too: so it is done here and not by the pipe.
        send(_Outcome(result=pickle.loads(job)()))  # nosec B301
    except Exception as error:  # also where the result cannot be pickled: nothing of it is sent then
        error.add_note("".join(traceback.format_exception(error)))
        send(_Outcome(error=_as_sendable(error)))


def _as_sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # nosec B301 # what was pickled in the same line
    except Exception:  # an error of another library may need more than its message to be made again
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, however that ended: no worker outlives a killed run."""
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# --- In the parent ----------------------------------------------------------------------------------------------------


class WorkerProcess:
    """A worker process, seen from its parent. Spawned: s3fs and ONNX Runtime do not survive a fork."""

    def __init__(self, limits: WorkLimits) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, limits), daemon=True)
        with _own_code():
            self._process.start()
        theirs.close()
        self.is_idle = True
        """Whether it has answered all that it was called for, be it with an error of the work's own."""

    def is_alive(self) -> bool:
        """Whether it can take work."""
        return self._process.is_alive()

    def call(self, work: Callable[[], R], allowed: Allowed, advance: Callable[[float], None]) -> R:
        """The result of the work.

        Args:
            work: Can be pickled, as its result can.
            allowed: What the item in hand may take.
            advance: Is told how many units are done; after a death, that these are to be done again.

        Raises:
            WorkerDiedError: the process ended, or an item took more than is allowed. It is of no use any more.
        """
        return self.call_pickled(pickle.dumps(work), allowed, advance)

    def call_pickled(self, job: bytes, allowed: Allowed, advance: Callable[[float], None]) -> Any:
        """As `call`, for work that another process has pickled."""
        watch, done = _Watch(self._process.pid or 0, allowed), 0.0
        self.is_idle = False
        try:
            self._pipe.send_bytes(job)
            while True:
                message = self._message(watch)
                if isinstance(message, Ticked):
                    done += message.units
                    advance(message.units)
                elif isinstance(message, _Outcome):
                    break
                else:
                    watch.note(message)
        except (EOFError, OSError):  # it is gone
            advance(-done)
            self._process.join()
            raise _death(self._process.exitcode or 0, watch.in_hand) from None
        except WorkerDiedError:
            advance(-done)
            raise
        if isinstance(message.error, MemoryError):
            advance(-done)
            raise WorkerDiedError("memory", "there is", watch.in_hand) from message.error
        self.is_idle = True
        if message.error is not None:
            raise message.error
        return message.result

    def _message(self, watch: _Watch) -> Report | _Outcome:
        while self._pipe not in wait([self._pipe, self._process.sentinel], _LOOK_S):
            if not self._process.is_alive() and not self._pipe.poll():
                raise EOFError
            watch.check()
        watch.check()
        return self._pipe.recv()

    def end(self) -> None:
        """Ends it, at once if need be. May be called from any thread."""
        self._process.terminate()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def close(self) -> None:
        """Lets it end by itself, since it has no work."""
        self._pipe.close()
        self._process.join(_END_S)
        self.end()


def _death(exit_code: int, in_hand: range | None) -> WorkerDiedError:
    if exit_code >= 0 and exit_code != _TERMINATED:
        return WorkerDiedError("crash", f"exit code {exit_code}", in_hand)
    number = signal.Signals(signal.SIGTERM if exit_code == _TERMINATED else -exit_code)
    if number in _CRASHES:
        return WorkerDiedError("crash", number.name, in_hand)
    return WorkerDiedError("killed", number.name, in_hand)


class _Watch:
    """Time and memory of the item in hand."""

    def __init__(self, pid: int, allowed: Allowed) -> None:
        self._process, self._allowed = psutil.Process(pid), allowed
        self._since_s: float | None = None
        self.in_hand: range | None = None

    def note(self, report: InHand | Clock) -> None:
        """Takes a report of the process."""
        if isinstance(report, InHand):
            self.in_hand = report.items or None
        runs = self.in_hand is not None and (isinstance(report, InHand) or report.runs)
        self._since_s = time.monotonic() if runs else None

    def check(self) -> None:
        """Raises WorkerDiedError if the item in hand takes too much."""
        if self.in_hand is None:
            return
        if self._since_s is not None and time.monotonic() - self._since_s > self._allowed.seconds:
            raise WorkerDiedError("time", f"{self._allowed.seconds:g} s", self.in_hand)
        try:
            used_mib = self._process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            return
        if used_mib > self._allowed.mib:
            raise WorkerDiedError("memory", f"{self._allowed.mib} MiB", self.in_hand)


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
