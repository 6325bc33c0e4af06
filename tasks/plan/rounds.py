"""What a plan and a list have in common: pairs that are made in rounds, each in tables of a shard's size.

Both are read alike:

    for pairs in plan.rounds(outcome):    # a list has one round, a plan as many as it takes
        …                                 # store the pairs, make their faces
        outcome.count(root, …)            # the next round follows from what is counted by then
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from mien.storage.schemas import PAIRS

MIN_SHARD_PAIRS, MAX_SHARD_PAIRS, USUAL_SHARDS = 64, 1024, 2000
"""A killed run loses a shard for each worker at most; each shard costs a task run and a file."""

Round = Callable[[], Iterator[pa.Table]]
"""Rows of `pairs` in tables of a shard's size, the last one shorter.

Each call gives them from the beginning, since a step may be tried again.
"""


def shard_pairs(total: int) -> int:
    """Pairs per shard for a job of so many: few enough to lose little, many enough to keep the shards few."""
    size = MIN_SHARD_PAIRS
    while size < MAX_SHARD_PAIRS and total > USUAL_SHARDS * size:
        size *= 2
    return size


def ends_shard(identity: str) -> bool:
    """Whether a shard that is half full ends after this identity: of every other one, by the hash of its name."""
    return hashlib.sha256(identity.encode()).digest()[0] % 2 == 0


def in_parts(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The rows of the tables in tables of `size`, the last one shorter."""
    left: pa.Table = PAIRS.empty_table()
    for table in tables:
        left = pa.concat_tables([left, table])
        while left.num_rows >= size:
            yield left.slice(0, size)
            left = left.slice(size)
    if left.num_rows:
        yield left
