"""Asks again, within a run, for what its source did not answer for; what stays without an answer says so in its row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mien.model.errors import ImageError
from mien.storage import OutsideError, StorageError, TransientError
from mien.storage.retries import retried
from mien.tasks.errors import failure_kind
from mien.tasks.runtime.attempts import LostItemError, begin, done, one_by_one
from mien.tasks.runtime.reports import in_hand, tick

T = TypeVar("T")
Row = dict[str, Any]
Answer = list[Row] | Exception
"""Rows, or one of `FAULTS`."""
Together = Callable[[Sequence[int]], Iterator[tuple[int, Answer]]]
"""Positions of items to (position, answer) of each, in any order."""

FAULTS = (StorageError, ImageError, MemoryError, LostItemError)
"""Of one item: they become its row."""
MAX_AGAIN = 3
"""How often what failed in a shard is asked for again, after all of the shard was asked for."""


def ask_each(
    items: Sequence[T],
    ask: Callable[[T], list[Row]],
    failed: Callable[[T, Exception], Row],
    whom: str,
    together: Together | None = None,
) -> list[list[Row]]:
    """What `ask` gives for each item, in their order; after a fault what `failed` gives.

    Items whose sources did not answer are asked for again together, with growing pauses: an unmounted folder, a refused
    credential and a lack of memory pass while others are asked. Servers that were asked again already are not.

    Args:
        items: What is asked for; each ticks once, and is in hand while it is asked for (`tasks/runtime/attempts.py`).
        ask: Raises one of `FAULTS` where an item cannot be had.
        failed: The row of an item after a fault.
        whom: What is asked, as `retried` tells servers apart.
        together: Gives what `ask` gives for many items at once, if that is faster. It says itself what it has in hand,
            and leaves out items that are lost. What is asked for again goes alone, and so does everything where one of
            the items may have ended the process.
    """
    answers: list[list[Row]] = [[] for _ in items]
    waiting, seen = list(range(len(items))), set[int]()

    def answer(index: int) -> Answer:
        try:
            begin(index)
            return ask(items[index])
        except FAULTS as error:
            return error

    def alone(indices: Sequence[int]) -> Iterator[tuple[int, Answer]]:
        return ((index, answer(index)) for index in indices)

    def ask_waiting() -> None:
        again = list[int]()
        how = alone if together is None or seen or one_by_one() else together
        for index, found in how(list(waiting)):
            if isinstance(found, Exception):
                if failure_kind(found) == "source" and not getattr(found, "is_exhausted", False):
                    again.append(index)
                found = [failed(items[index], found)]
            answers[index] = found
            if index not in seen:
                seen.add(index)
                tick()
        waiting[:] = sorted(again)
        if again:
            in_hand(range(0))  # the pause is on account of none
            raise TransientError(f"{len(again)} of {whom} did not answer")

    with suppress(TransientError):  # their rows say so
        retried(ask_waiting, whom, MAX_AGAIN)
    done()
    return answers


def outcome_of(error: Exception) -> Row:
    """The columns `status`, `reason` and `failure` of an item after a fault."""
    if isinstance(error, OutsideError):
        return {"status": "rejected", "reason": str(error)}
    reason = str(error) if not isinstance(error, MemoryError) else "there is not enough memory: take fewer --workers"
    return {"status": "failed", "reason": reason, "failure": failure_kind(error)}
