"""Batches of items through three steps at once.

read n + 1 │ look n │ make n − 1        three threads; images and networks leave Python's lock
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mien.tasks.runtime.attempts import begin_batch

Read = TypeVar("Read")
Seen = TypeVar("Seen")
Made = TypeVar("Made")
Batch = Sequence[int]
"""Positions of items, growing; those of a later batch are greater."""


def pipelined(
    batches: Sequence[Batch],
    read: Callable[[Batch], Read],
    look: Callable[[Read], Seen],
    make: Callable[[Batch, Seen], Sequence[Made]],
) -> Iterator[tuple[int, Made]]:
    """(position of an item, what was made of it) for all items, in their order.

    Args:
        batches: All items that are to be worked on; in hand are those of the three batches that the steps are at.
        read: Runs in a thread of its own, for one batch after the other.
        look: Runs in this thread.
        make: Runs in a thread of its own; gives one result for each item.
    """
    if not batches:
        return
    begin_batch(_span(batches[:1]))
    made: Future[Sequence[Made]] | None = None
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as making:
        ahead = reading.submit(read, batches[0])
        for number, batch in enumerate(batches):
            begin_batch(_span(batches[max(0, number - 1) : number + 2]))
            pictures = ahead.result()
            if number + 1 < len(batches):
                ahead = reading.submit(read, batches[number + 1])
            seen = look(pictures)
            if made is not None:
                yield from zip(batches[number - 1], made.result(), strict=True)
            made = making.submit(make, batch, seen)
        assert made is not None
        yield from zip(batches[-1], made.result(), strict=True)


def _span(batches: Sequence[Batch]) -> range:
    return range(batches[0][0], batches[-1][-1] + 1)
