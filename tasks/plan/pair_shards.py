"""Plans stored: their rows in shards, and these as a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from typing import Any

import pyarrow as pa

from mien.storage import Root, ShardRef, TableRef, commit, find_good_shard, fingerprint, source_digest, write_shard
from mien.storage.schemas import PAIRS
from mien.tasks.plan.plan import PlanSettings, in_parts
from mien.tasks.sets.faces import FaceTables

CODE = source_digest(__name__)

LEAST_SHARD_PAIRS, MOST_SHARD_PAIRS, USUAL_SHARDS = 64, 1024, 2000
"""A killed run loses a shard for each worker at most; each shard costs a task run and a file."""
PARTS_AT_ONCE = 8
"""Shards of a plan that are written side by side: an object store takes its time for each."""

Row = dict[str, Any]


def shard_pairs(total: int) -> int:
    """Pairs per shard for a plan of so many: few enough to lose little, many enough to keep the shards few."""
    size = LEAST_SHARD_PAIRS
    while size < MOST_SHARD_PAIRS and total > USUAL_SHARDS * size:
        size *= 2
    return size


def store_parts(root: Root, parts: Callable[[], Iterator[pa.Table]], first: int) -> list[ShardRef]:
    """Shards of `pairs` with these rows, from the `first`-th of their plan on; one that is there is left alone."""
    shards: list[ShardRef] = []
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        numbered = enumerate(parts(), start=first)
        while some := list(islice(numbered, PARTS_AT_ONCE)):  # not all at once: each holds its rows
            shards += threads.map(lambda part: _pairs_shard(root, part[1], part[0]), some)
    return shards


def _pairs_shard(root: Root, rows: pa.Table, place: int) -> ShardRef:
    """The shard with these rows, the `place`-th of its plan (a list may repeat itself)."""
    content = hashlib.sha256(json.dumps(rows.to_pydict(), sort_keys=True).encode()).hexdigest()
    name = fingerprint({"code": CODE, "rows": content, "place": place})
    return find_good_shard(root, "pairs", name) or write_shard(root, "pairs", name, rows)


def listed_parts(rows: Sequence[Row], size: int) -> Iterator[pa.Table]:
    """Rows of a list in tables of `size`."""
    return in_parts([pa.Table.from_pylist(list(rows), schema=PAIRS)], size)


def commit_pairs(
    root: Root,
    shards: Sequence[ShardRef],
    identities: FaceTables,
    expressions: FaceTables,
    settings: PlanSettings | None,
) -> TableRef:
    """Makes the plan visible as one table; without settings it is a list."""
    about = {"identities": asdict(identities), "expressions": asdict(expressions), "code": CODE}
    return commit(root, "pairs", shards, about | {"settings": None if settings is None else asdict(settings)})
