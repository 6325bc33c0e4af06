"""Ctrl-C, SIGTERM and a closed terminal: the command ends within seconds, with one line, and leaves no process behind.

The main thread may be deep in a library when the signal comes, and then learns of it late. So a thread is told at once:

    signal ─► main thread   raises Interrupted, which unwinds: markers are taken back, runs are reported as ended
           └► this thread   says the line, silences what comes after it, ends the workers; and after `GRACE_S` the rest
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

GRACE_S = 3.5
"""For the command to end by itself; then its processes are killed."""
_LINES = {
    signal.SIGINT: "interrupted: run the same command again, it goes on from here",
    signal.SIGTERM: "terminated: run the same command again, it goes on from here",
    signal.SIGHUP: "the terminal is gone: run the same command again, it goes on from here",
}
_SHOW_CURSOR = "\x1b[?25h\n"


class Interrupted(SystemExit):
    """Unwinds the main thread. Libraries let it pass as they let `sys.exit` pass, and nobody prints its trace."""


class Interruption:
    """Whether a signal has come, and what follows from it."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._raised = False
        self._over = False
        self._announced = threading.Event()

    @property
    def came(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """By the shells' custom: 128 and the number of the signal."""
        return 128 + (self._number or 0)

    def end_process(self) -> NoReturn:
        """Ends this process and those that it has started. What the command held is given back by now; what libraries
        do when Python ends, such as Prefect's last calls of a server that is gone, takes seconds."""
        self._announced.wait(GRACE_S)
        self._kill()

    @contextmanager
    def watched(self, to_the_end: bool) -> Iterator[None]:
        """While the block runs, signals are met; with `to_the_end` also after it, and then end the process at once."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        threading.Thread(target=self._watch, args=(read_end,), daemon=True).start()
        # Python writes the number of each signal into the pipe when it comes, whatever the main thread is at.
        former_pipe = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        # Also where a shell has started the command with SIGINT ignored, as scripts do in the background.
        numbers = [each for each in _LINES if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
        former = {each: signal.signal(each, self._unwind) for each in numbers}
        try:
            yield
        finally:
            self._over = True
            if not (to_the_end or self.came):
                signal.set_wakeup_fd(former_pipe)
                for each, handler in former.items():
                    signal.signal(each, handler)
                os.close(write_end)  # which ends the thread

    def _unwind(self, number: int, _frame: FrameType | None) -> None:
        self._number = self._number or number
        if self._over and not self._raised:  # Python is ending, and its threads may not run any more
            if not self._announced.wait(0.2):
                _say_last(_LINES[signal.Signals(self._number)])
            os._exit(self.exit_code)
        if not self._raised:  # once: what unwinds is not to be interrupted again
            self._raised = True
            raise Interrupted(self.exit_code)

    def _watch(self, read_end: int) -> None:
        while told := os.read(read_end, 1):
            if told[0] in _LINES:
                self._number = self._number or told[0]
                self._end()
        os.close(read_end)

    def _end(self) -> None:
        if self._announced.is_set():
            return
        deadline = threading.Timer(GRACE_S, self._kill)
        deadline.daemon = True
        deadline.start()
        _say_last(_LINES[signal.Signals(self._number or signal.SIGINT)])
        self._announced.set()
        # Where it was not imported there are no workers.
        workers = sys.modules.get("mien.tasks.runtime.workers")
        if workers is not None and hasattr(workers, "end_work"):
            workers.end_work()

    def _kill(self) -> NoReturn:
        import psutil

        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(self.exit_code)


def _say_last(line: str) -> None:
    """Writes a line to the standard error, and nothing after it: Prefect, MLflow and threads tell what ended them."""
    shown = f"{_SHOW_CURSOR if os.isatty(2) else ''}{line}\n"
    with suppress(OSError):
        os.write(2, shown.encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@contextmanager
def meeting_signals(to_the_end: bool) -> Iterator[Interruption]:
    """While the block runs, a signal ends it with Interrupted. Only the main thread of a process can meet them.

    Args:
        to_the_end: Whether the process ends after the block.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    with interruption.watched(to_the_end):
        yield interruption
