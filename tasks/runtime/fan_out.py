"""Runs a Prefect task over many shards: a task run each, the work in worker processes, one progress bar."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from prefect import Task, unmapped
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from mien.storage import ShardRef, SourceItem, StorageError
from mien.tasks.runtime.workers import abandon_work, tick, work_progress

R = TypeVar("R")

MOST_SHARDS_AT_ONCE = 32
MOST_FAILED = 3
"""Shards of a step that fail, each tried again, before the step is given up; with fewer the others are still made."""


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
    find: Callable[..., ShardRef | None] | None = None
    """Called as the step itself: its result if it exists already. A task run takes longer than such a look."""


def over_shards(
    step: Step, run: Task[..., ShardRef], root: Any, shards: Sequence[Any], *settings: Any
) -> list[ShardRef]:
    """Results of `run(root, shard, *settings)` for each shard, in their order."""
    with work_progress(step.title, step.total, step.unit):
        found = _found(step, root, shards, settings)
        missing = _from_anywhere([place for place, ref in enumerate(found) if ref is None])
        tick(sum(ref.rows for ref in found if ref is not None))
        asked = [shards[place] for place in missing]
        futures = run.map(unmapped(root), asked, *map(unmapped, settings)) if missing else []
        made = dict(zip(missing, results(futures), strict=True))
        return [made[place] if ref is None else ref for place, ref in enumerate(found)]


def results(futures: Sequence[PrefectFuture[R]]) -> list[R]:
    """Of all. Raises the first error when all others are done, or when some more have failed for good: then the fault
    is not of one shard, and nothing more is begun."""
    failed: list[Exception] = []
    try:
        for future in as_completed(list(futures)):
            try:
                future.result()
            except Exception as error:
                failed.append(error)
                if len(failed) == MOST_FAILED:
                    _give_up(futures)
                    break
    except BaseException:  # interrupted
        _give_up(futures)
        raise
    if failed:
        raise failed[0]
    return [future.result() for future in futures]


def _give_up(futures: Sequence[PrefectFuture[Any]]) -> None:
    abandon_work()
    for future in futures:
        waiting = getattr(future, "wrapped_future", None)  # of the runner with threads
        if isinstance(waiting, Future):
            waiting.cancel()


def _from_anywhere(places: list[int]) -> list[int]:
    """In their order, but begun at a random one: two runs at once, who find what the other has made, share the work."""
    start = random.randrange(len(places)) if places else 0
    return places[start:] + places[:start]


def _found(step: Step, root: Any, shards: Sequence[Any], settings: Sequence[Any]) -> list[ShardRef | None]:
    if step.find is None:
        return [None] * len(shards)
    with ThreadPoolExecutor(MOST_SHARDS_AT_ONCE) as threads:
        return list(threads.map(partial(_looked_up, step.find, root, settings), shards))


def _looked_up(find: Callable[..., ShardRef | None], root: Any, settings: Sequence[Any], shard: Any) -> ShardRef | None:
    try:
        return find(root, shard, *settings)
    except StorageError:
        return None  # the task tells of it, after trying again


def over_videos(
    videos: Sequence[SourceItem], run: Task[..., list[SourceItem]], root: Any, settings: Any
) -> list[list[SourceItem]]:
    """The frames of each video, in order."""
    if not videos:
        return []
    with work_progress("choose frames", len(videos), "videos"):
        futures = run.map(unmapped(root), list(videos), unmapped(settings))
        return results(futures)
