"""How far a long step is: bars in a terminal, a line now and then in a log.

A step announces itself with `progress`. A terminal shows it (`terminal_display`), and the Prefect run that the step
belongs to (`tasks/runtime/run_progress.py`); where there is neither, the log of the process does.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text


class Advance(Protocol):
    """So many units are done since the last call; the total may be estimated anew."""

    def __call__(self, done: float, total: float | None = None) -> None: ...


class Display(Protocol):
    """Shows the steps of one process. Called from several threads."""

    def open(self, title: str, total: float, unit: str) -> object: ...

    def advance(self, step: object, done: float, total: float | None = None) -> None: ...

    def close(self, step: object) -> None: ...


UNKNOWN = math.inf
"""The total of a step before it can be estimated."""


@dataclass
class Line:
    """A step as text."""

    title: str
    total: float
    unit: str
    started_s: float = field(default_factory=time.monotonic)
    shown_s: float = field(default_factory=time.monotonic)
    done: float = 0.0

    def text(self) -> str:
        passed_s = max(time.monotonic() - self.started_s, 1e-9)
        rate = self.done / passed_s
        left = f", {(self.total - self.done) / rate:.0f} s left" if 0 < self.done < self.total < UNKNOWN else ""
        of_all = "" if self.total == UNKNOWN else f"/{self.total:.0f}"
        return f"{self.title}: {self.done:.0f}{of_all} {self.unit}, {rate:.1f}/s{left}"


class LineDisplay:
    """One line per step at most every `every_s` seconds, and one at its end."""

    def __init__(self, write: Callable[[str], None], every_s: float = 20.0) -> None:
        self._write = write
        self._every_s = every_s
        self._lock = Lock()

    def open(self, title: str, total: float, unit: str) -> Line:
        return Line(title, total, unit)

    def advance(self, step: object, done: float, total: float | None = None) -> None:
        assert isinstance(step, Line)
        with self._lock:
            step.done += done
            step.total = total or step.total
            now_s = time.monotonic()
            if now_s - step.shown_s < self._every_s:
                return
            step.shown_s = now_s
        self._write(step.text())

    def close(self, step: object) -> None:
        assert isinstance(step, Line)
        self._write(step.text())


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {task.fields['unit']}/s", style="progress.data.speed")


class BarDisplay:
    """Bars with rate and remaining time on a terminal."""

    def __init__(self, console: Console) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )

    def __enter__(self) -> BarDisplay:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def open(self, title: str, total: float, unit: str) -> TaskID:
        return self._bars.add_task(title, total=None if total == UNKNOWN else total, unit=unit)

    def advance(self, step: object, done: float, total: float | None = None) -> None:
        self._bars.update(TaskID(int(str(step))), advance=done, total=total)

    def close(self, step: object) -> None:
        self._bars.stop_task(TaskID(int(str(step))))


_terminal: Display | None = None
_log = LineDisplay(logging.getLogger("prefect.mien").info)


@contextmanager
def terminal_display() -> Iterator[None]:
    """Shows progress on stderr while the block runs: bars on a terminal, lines elsewhere."""
    global _terminal
    former, console = _terminal, Console(stderr=True)
    try:
        if console.is_terminal:
            with BarDisplay(console) as bars:
                _terminal = bars
                yield
        else:
            _terminal = LineDisplay(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
            yield
    finally:
        _terminal = former


def _displays() -> list[Display]:
    shown = [_terminal, _of_run()]
    return [display for display in shown if display is not None] or [_log]


def _of_run() -> Display | None:
    """What shows a step in its Prefect run. A process that has not loaded Prefect is in none: a worker has not."""
    if "prefect.context" not in sys.modules:
        return None
    from mien.tasks.runtime.run_progress import display_of_run

    return display_of_run()


@contextmanager
def progress(title: str, total: float, unit: str) -> Iterator[Advance]:
    """Announces a step of `total` units, `UNKNOWN` where nobody can tell yet; the block calls what it gets with the
    number of units done since."""
    with ExitStack() as steps:
        shown = [(display, steps.enter_context(_opened(display, title, total, unit))) for display in _displays()]

        def advance(done: float, total: float | None = None) -> None:
            for display, step in shown:
                display.advance(step, done, total)

        yield advance


@contextmanager
def _opened(display: Display, title: str, total: float, unit: str) -> Iterator[object]:
    step = display.open(title, total, unit)
    try:
        yield step
    finally:
        display.close(step)
