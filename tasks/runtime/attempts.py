"""Work on the items of a shard, of which one may end the process.

The work calls `begin` before each item. After a death the parent knows the item in hand, tries it alone, and has the
shard made again: `begin` then raises LostItemError for the items that died alone as well, and the work writes the row
that says so. `tasks/runtime/one_bad_item.py` is the parent's part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from mien.tasks.runtime.reports import Report, Ticked, in_hand, report_to

R = TypeVar("R")


class LostItemError(Exception):
    """An item that is not tried, since it has ended worker processes."""

    is_exhausted = True
    """Nobody is to ask for it again within the run."""

    def __init__(self, reason: str, kind: Literal["source", "content"], limit_s: float | None = None) -> None:
        super().__init__(reason, kind, limit_s)
        self.reason = reason
        self.kind: Literal["source", "content"] = kind
        """`content`: the same bytes would do it again. `source`: this machine may do better the next time."""
        self.limit_s = limit_s
        """The time that it exceeded, if so: with more it may not be lost."""

    def __str__(self) -> str:
        return self.reason

    def outcome(self) -> dict[str, Any]:
        """The last columns of the item's row."""
        return {"status": "failed", "reason": self.reason, "failure": self.kind}


@dataclass(frozen=True)
class Attempt:
    """What an attempt at a shard is to try."""

    lost: Mapping[int, LostItemError] = field(default_factory=dict[int, LostItemError])
    """Items that are not tried any more, by position."""
    trial: range | None = None
    """Try these items alone: no other one, and write nothing."""
    careful: bool = False
    """Have one item in hand at a time, though several at once would be faster: a death tells which one it was."""


class _TrialPassed(BaseException):
    """The items of a trial are done; what comes after is not done."""


_attempt = Attempt()


def run_attempt(attempt: Attempt, work: Callable[[], R]) -> R | None:
    """What the work gives; None after a trial, which ticks nothing. Runs in a worker process."""
    global _attempt
    _attempt = attempt
    listener = report_to(None)
    report_to(listener if attempt.trial is None or listener is None else _without_ticks(listener))
    try:
        return work()
    except _TrialPassed:
        return None
    finally:
        report_to(listener)
        _attempt = Attempt()


def _without_ticks(listener: Callable[[Report], None]) -> Callable[[Report], None]:
    return lambda report: None if isinstance(report, Ticked) else listener(report)


def begin(item: int) -> None:
    """The work begins with this item, which is in hand until the next call.

    Raises:
        LostItemError: it is not to be tried.
    """
    if (lost := lost_item(item)) is not None:
        raise lost
    begin_batch(range(item, item + 1))


def one_by_one() -> bool:
    """Whether items are to be in hand one at a time."""
    return _attempt.careful or _attempt.trial is not None


def begin_batch(items: range) -> None:
    """The work begins with these items together, none of which is lost."""
    if _attempt.trial is not None and items.start >= _attempt.trial.stop:
        done()
    in_hand(items)


def done() -> None:
    """The work is done with all items: what it does from now on, such as writing, is on account of none."""
    in_hand(range(0))
    if _attempt.trial is not None:
        raise _TrialPassed


def lost_item(item: int) -> LostItemError | None:
    """Why an item is not to be tried, if so."""
    if _attempt.trial is not None and item not in _attempt.trial:
        return LostItemError("not part of the trial", "source")
    return _attempt.lost.get(item)
