"""What work says of itself while it runs: how much is done, and which item it has in hand.

Called where the work is done, mostly in a worker process, whose parent listens (`tasks/runtime/worker_process.py`). The
parent measures the time of the item in hand, and knows which item it was when the process dies. Where nobody listens
nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Ticked:
    """So many units are done."""

    units: float


@dataclass(frozen=True)
class InHand:
    """These items are in hand from now on, by their positions among those of the work; none where it is empty."""

    items: range


@dataclass(frozen=True)
class Clock:
    """Whether the time of the item in hand counts from now on. It starts at zero."""

    runs: bool


Report = Ticked | InHand | Clock

_listener: Callable[[Report], None] | None = None


def report_to(listener: Callable[[Report], None] | None) -> Callable[[Report], None] | None:
    """From now on this process says everything to `listener`, which may be called from several threads; returns the
    former one."""
    global _listener
    former, _listener = _listener, listener
    return former


def _say(report: Report) -> None:
    if _listener is not None:
        _listener(report)


def tick(done: float = 1.0) -> None:
    """So many units are done."""
    _say(Ticked(done))


def in_hand(items: range) -> None:
    """The work begins with these items, and their time with it."""
    _say(InHand(items))


def still_working() -> None:
    """The item in hand has come a step further, such as a decoded frame. Each step may take the time of an item."""
    _say(Clock(runs=True))


@contextmanager
def waiting() -> Iterator[None]:
    """While the block waits for a source, the time of the item in hand does not count: a slow network is no property of
    a photo, and sources have limits of their own."""
    _say(Clock(runs=False))
    try:
        yield
    finally:
        _say(Clock(runs=True))
