"""Asks again, within a run, for what its source did not answer for; what stays without an answer says so in its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mien.model.errors import ImageError
from mien.storage import OutsideError, StorageError, TransientError
from mien.storage.retries import retried
from mien.tasks.errors import failure_kind
from mien.tasks.runtime.attempts import LostItemError, begin, done
from mien.tasks.runtime.reports import in_hand, tick

T = TypeVar("T")
Row = dict[str, Any]

FAULTS = (StorageError, ImageError, MemoryError, LostItemError)
"""Of one item: they become its row."""
MAX_AGAIN = 3
"""How often what failed in a shard is asked for again, after all of the shard was asked for."""


def ask_each(
    items: Sequence[T], ask: Callable[[T], list[Row]], failed: Callable[[T, Exception], Row], whom: str
) -> list[list[Row]]:
    """What `ask` gives for each item, in their order; after a fault what `failed` gives.

    Items whose sources did not answer are asked for again together, with growing pauses: an unmounted folder, a refused
    credential and a lack of memory pass while others are asked. Servers that were asked again already are not.

    Args:
        items: What is asked for; each ticks once, and is in hand while it is asked for (`tasks/runtime/attempts.py`).
        ask: Raises one of `FAULTS` where an item cannot be had.
        failed: The row of an item after a fault.
        whom: What is asked, as `retried` tells servers apart.
    """
    answers: list[list[Row]] = [[] for _ in items]
    waiting, seen = list(range(len(items))), set[int]()

    def ask_waiting() -> None:
        again = list[int]()
        for index in waiting:
            try:
                begin(index)
                answers[index] = ask(items[index])
            except FAULTS as error:
                answers[index] = [failed(items[index], error)]
                if failure_kind(error) == "source" and not getattr(error, "is_exhausted", False):
                    again.append(index)
            if index not in seen:
                seen.add(index)
                tick()
        waiting[:] = again
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
