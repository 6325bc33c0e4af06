"""Runs a stage over many shards: a task run each, the work in worker processes, one progress bar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from prefect import Task, unmapped
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from mien.model.devices import compute_on, devices_in_force
from mien.storage import Root, ShardRef, SourceItem, StorageError
from mien.tasks.runtime.one_bad_item import make_in_worker
from mien.tasks.runtime.prefect_tasks import retried
from mien.tasks.runtime.stage import Item, Settings, Stage
from mien.tasks.runtime.workers import abandon_work, tick, work_progress

R = TypeVar("R")

MAX_SHARDS_AT_ONCE = 32
MAX_FAILED = 3
"""Shards of a stage that fail, each tried again, before the stage is given up; with fewer the others are still made."""


def shard_threads() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of the flows with shards: its threads only wait for the worker processes."""
    return ThreadPoolTaskRunner[PrefectFuture[Any]](max_workers=MAX_SHARDS_AT_ONCE)  # pyright: ignore[reportReturnType]


def run_stage(
    stage: Stage[Item, Settings], root: Root, items: Sequence[Item], settings: Settings, total: int
) -> list[ShardRef]:
    """The shard for each item, in their order; `total` is what they come to in the stage's unit.

    All are looked up first, since a task run takes longer than a look; those that are missing get a task run each.
    """
    with work_progress(stage.title, total, stage.unit):
        known = _looked_up(stage, root, items, settings)
        shards = [each.shard for each in known]
        tick(sum(shard.rows for shard in shards if shard is not None))
        missing = _rotated([index for index, shard in enumerate(shards) if shard is None])
        if missing:
            futures = _task_of(stage).map(
                unmapped(stage),
                unmapped(root),
                [items[index] for index in missing],
                unmapped(settings),
                [known[index].name for index in missing],
                [index + 1 for index in missing],
                unmapped(len(items)),
                unmapped(devices_in_force()),
            )
            for index, made in zip(missing, results(futures), strict=True):
                shards[index] = made
        return [shard for shard in shards if shard is not None]


class _Known(NamedTuple):
    """What is known of a shard after it was looked up."""

    name: str | None
    """None where the root could not be read: the task run fails with it, after trying again."""
    shard: ShardRef | None


def _looked_up(stage: Stage[Item, Settings], root: Root, items: Sequence[Item], settings: Settings) -> list[_Known]:
    with ThreadPoolExecutor(MAX_SHARDS_AT_ONCE) as threads:
        return list(threads.map(partial(_look_up, stage, root, settings), items))


def _look_up(stage: Stage[Item, Settings], root: Root, settings: Settings, item: Item) -> _Known:
    name = None
    try:
        name = stage.name(root, item, settings)
        return _Known(name, stage.find(root, name, item))
    except StorageError:
        return _Known(name, None)


def _rotated(indices: list[int]) -> list[int]:
    """In their order, but begun at a random one: two runs at once, who find what the other has made, share the work."""
    start = random.randrange(len(indices)) if indices else 0
    return indices[start:] + indices[:start]


def _task_of(stage: Stage[Any, Any]) -> Task[..., ShardRef]:
    """The Prefect task of a stage: its runs are named `detect and align 3 of 12`."""
    return retried(stage.title.replace(" ", "-"), f"{stage.title} {{number}} of {{count}}")(_shard_run)


def _shard_run(
    stage: Stage[Any, Any],
    root: Root,
    item: Any,
    settings: Any,
    name: str | None,
    number: int,
    count: int,
    devices: tuple[str, ...],
) -> ShardRef:
    """`number` and `count` are there for the name of the run, the devices for task runners in other processes."""
    compute_on(devices)
    return make_in_worker(stage, root, item, settings, name)


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
                if len(failed) == MAX_FAILED:
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


def over_videos(videos: Sequence[SourceItem], run: Task[..., R], root: Any, settings: Any) -> list[R]:
    """What `run` makes of each video, in order."""
    if not videos:
        return []
    with work_progress("choose frames", len(videos), "videos"):
        futures = run.map(unmapped(root), list(videos), unmapped(settings))
        return results(futures)
