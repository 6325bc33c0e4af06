"""Plans stored: their rows in shards, and these as a table."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice

import pyarrow as pa

from mien.storage import Root, ShardRef, TableRef, commit, find_good_shard, fingerprint, source_digest, write_shard
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_list import PairList
from mien.tasks.plan.plan import Plan
from mien.tasks.plan.rounds import Round
from mien.tasks.sets.faces import FaceTables

CODE = source_digest(__name__)

PARTS_AT_ONCE = 8
"""Shards of a plan that are written side by side: an object store takes its time for each."""


def store_round(root: Root, parts: Round, first: int) -> list[ShardRef]:
    """Shards of `pairs` with these rows, from the `first`-th of their plan on; one that is there is left alone."""
    shards: list[ShardRef] = []
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        numbered = enumerate(parts(), start=first)
        while some := list(islice(numbered, PARTS_AT_ONCE)):  # not all at once: each holds its rows
            shards += threads.map(lambda part: _pairs_shard(root, part[1], part[0]), some)
    return shards


def _pairs_shard(root: Root, rows: pa.Table, index: int) -> ShardRef:
    """The shard with these rows, the `index`-th of its plan (a list may repeat itself)."""
    content = hashlib.sha256(json.dumps(rows.to_pydict(), sort_keys=True).encode()).hexdigest()
    name = fingerprint({"code": CODE, "rows": content, "index": index})
    return find_good_shard(root, "pairs", name) or write_shard(root, "pairs", name, rows)


def commit_pairs(
    root: Root, plan: Plan | PairList, outcome: PlanOutcome, identities: FaceTables, expressions: FaceTables
) -> TableRef:
    """Makes the pairs that were tried visible as one table; that of a list has no settings."""
    about = {"identities": asdict(identities), "expressions": asdict(expressions), "code": CODE}
    settings = asdict(plan.settings) if isinstance(plan, Plan) else None
    return commit(root, "pairs", outcome.pairs, about | {"settings": settings})
