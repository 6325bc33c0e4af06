"""Shards that take a given time. In a module of their own: worker processes of other machines import it by its name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mien.storage import Root, ShardRef, write_shard
from mien.storage.schemas import PAIRS
from mien.tasks.runtime.stage import Stage


@dataclass(frozen=True)
class Work:
    """What the shards of a job have in common."""

    seconds: float
    """That each takes."""
    computes: bool
    """Whether it keeps a core busy; else it sleeps."""


def _decides(_root: Root, number: int, work: Work) -> dict[str, Any]:
    return {"number": number, "seconds": work.seconds, "computes": work.computes}


def _make(root: Root, name: str, number: int, work: Work) -> ShardRef:
    if work.computes:
        until_s = time.thread_time() + work.seconds
        while time.thread_time() < until_s:
            sum(range(10_000))
    else:
        time.sleep(work.seconds)
    row = {"pair_id": f"{number}", "identity_face_id": "a", "expression_face_id": "b", "seed": number, "status": "ok"}
    return write_shard(root, "pairs", name, pa.Table.from_pylist([row], schema=PAIRS))


TIMED = Stage("make", "shards", "pairs", __name__, _decides, _make, "it")
