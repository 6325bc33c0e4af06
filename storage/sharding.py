"""Which items go into which shard."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")


def plan_shards(
    items: Sequence[T], key: Callable[[T], Hashable], kept: Sequence[Sequence[Hashable]], size: int
) -> list[list[T]]:
    """Shards of the items, such that what was computed before stays.

    First the shards of `kept` (each the keys of a former shard's items) whose items are all still there, as they were
    and in their order; then all other items, in order, in new shards of at most `size`. So a new item makes a new
    shard, and a changed or deleted one costs only the shard that it was in.

    Raises:
        ValueError: two items have the same key, or `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"a shard holds at least 1 item, not {size}")
    left = {key(item): item for item in items}
    if len(left) != len(items):
        raise ValueError("two items have the same key")
    shards: list[list[T]] = []
    for keys in kept:
        if keys and len(set(keys)) == len(keys) and left.keys() >= set(keys):
            shards.append([left.pop(key) for key in keys])
    rest = list(left.values())
    return shards + [rest[start : start + size] for start in range(0, len(rest), size)]
