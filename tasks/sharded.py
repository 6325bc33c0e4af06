"""Runs a Prefect task over many shards: a task run each, the work in worker processes, one progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect import Task, unmapped
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from storage import ShardRef
from tasks.pool import work_progress

MOST_SHARDS_AT_ONCE = 32


def shard_threads() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of the flows with shards: its threads only wait for the worker processes."""
    return ThreadPoolTaskRunner[PrefectFuture[Any]](max_workers=MOST_SHARDS_AT_ONCE)  # pyright: ignore[reportReturnType]


@dataclass(frozen=True)
class Step:
    """A step over shards, as its progress bar names it."""

    title: str
    unit: str
    total: int
    """In units, over all shards."""


def over_shards(
    step: Step, run: Task[..., ShardRef], root: Any, shards: Sequence[Any], *settings: Any
) -> list[ShardRef]:
    """Results of `run(root, shard, *settings)` for each shard, in their order."""
    with work_progress(step.title, step.total, step.unit):
        futures = run.map(unmapped(root), list(shards), *map(unmapped, settings))
        return [future.result() for future in futures]
