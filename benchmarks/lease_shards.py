"""A job of cheap shards, for what has to do with how shards are shared and not with what is in them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import pyarrow as pa
from prefect import flow

from mien.storage import Root, ShardRef, write_shard
from mien.storage.leases import Lease
from mien.storage.runs import job
from mien.storage.schemas import PAIRS
from mien.tasks.runtime import fan_out
from mien.tasks.runtime.fan_out import run_stage, shard_threads
from mien.tasks.runtime.ranks import Rank, working_as
from mien.tasks.runtime.stage import Stage
from mien.tasks.runtime.workers import worker_pool


@dataclass(frozen=True)
class Cheap:
    """What the shards of a job have in common."""

    log: str
    """A file that gets a line whenever a shard is begun."""
    seconds: float
    """That a shard takes; it sleeps, so that jobs do not wait for one another's cores."""


def _decides(_root: Root, number: int, _job: Cheap) -> dict[str, int]:
    return {"number": number}


def _make(root: Root, name: str, number: int, about: Cheap) -> ShardRef:
    log = os.open(about.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{number}\n".encode())
    os.close(log)
    time.sleep(about.seconds)
    row = {"pair_id": f"{number}", "identity_face_id": "a", "expression_face_id": "b", "seed": number, "status": "ok"}
    return write_shard(root, "pairs", name, pa.Table.from_pylist([row], schema=PAIRS))


CHEAP = Stage("make cheap shards", "shards", "pairs", __name__, _decides, _make, "it")


@flow(task_runner=shard_threads())
def _cheap_job(root: str, count: int, about: Cheap, workers: int) -> str:
    opened = Root(root)
    with job(opened, "cheap job"), worker_pool(workers):
        shards = run_stage(CHEAP, opened, range(count), about, count)
        return CHEAP.commit(opened, shards, {}).fingerprint


def run_cheap_job(
    root: str, count: int, about: Cheap, workers: int = 1, rank: Rank | None = None, leases: bool = True
) -> str:
    """Makes and commits so many shards; the fingerprint of their table. Without leases as before there were any."""
    with working_as(rank), patch.object(fan_out, "leased", fan_out.leased if leases else _not_leased):
        return _cheap_job(root, count, about, workers)


@contextmanager
def _not_leased(root: Root, table: str, name: str, what: str, past: str | None) -> Iterator[Lease]:
    yield Lease(root, "", None)
