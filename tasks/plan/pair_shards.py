"""Plans stored: their rows in shards, and these as a table."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice

import pyarrow as pa

from mien.storage import Root, ShardRef, TableRef, commit, find_good_shard, fingerprint, source_digest, write_shard
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.groups import ABOUT
from mien.tasks.plan.pair_list import PairList
from mien.tasks.plan.plan import Plan
from mien.tasks.plan.rounds import Round
from mien.tasks.sets.faces import FaceTables

CODE = source_digest(__name__)

PARTS_AT_ONCE = 8
"""Shards of a plan that are written side by side: an object store takes its time for each."""


def store_round(root: Root, parts: Round) -> list[ShardRef]:
    """Shards of `pairs` with these rows, in their order; one that is there is left alone."""
    shards: list[ShardRef] = []
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        named = _named(parts)
        while some := list(islice(named, PARTS_AT_ONCE)):  # not all at once: each holds its rows
            shards += threads.map(lambda part: _pairs_shard(root, *part), some)
    return shards


def _named(parts: Round) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each shard with its name. A list may repeat itself, and each shard is in a table once."""
    seen = Counter[str]()
    for rows in parts():
        content = hashlib.sha256(json.dumps(rows.to_pydict(), sort_keys=True).encode()).hexdigest()
        yield fingerprint({"code": CODE, "rows": content, "again": seen[content]}), rows
        seen[content] += 1


def _pairs_shard(root: Root, name: str, rows: pa.Table) -> ShardRef:
    return find_good_shard(root, "pairs", name) or write_shard(root, "pairs", name, rows)


def commit_pairs(
    root: Root, plan: Plan | PairList, outcome: PlanOutcome, identities: FaceTables, expressions: FaceTables
) -> TableRef:
    """Makes the pairs that were tried visible as one table; that of a list has no settings."""
    about = {"identities": asdict(identities), "expressions": asdict(expressions), "code": CODE}
    settings = asdict(plan.settings) if isinstance(plan, Plan) else None
    clusters = plan.clusters if isinstance(plan, Plan) else None
    planned = {"settings": settings} | ({} if clusters is None else {ABOUT: asdict(clusters)})
    return commit(root, "pairs", outcome.pairs, about | planned)
