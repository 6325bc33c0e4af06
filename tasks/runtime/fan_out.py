"""Runs a stage over many shards: a task run each, the work in worker processes, one progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from inspect import signature
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from prefect import Task, unmapped
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from mien.model.devices import compute_on, devices_in_force
from mien.storage import Root, ShardRef, SourceItem, find_good_shard
from mien.storage.lease_files import clear_leases
from mien.storage.leases import Held, Lease, MadeElsewhere, end_leases, leased
from mien.tasks.runtime.left_shards import LeftShards, Passed, look_up
from mien.tasks.runtime.one_bad_item import make_in_worker
from mien.tasks.runtime.prefect_tasks import retried
from mien.tasks.runtime.ranks import own_first, rank_in_force
from mien.tasks.runtime.stage import Item, Settings, Stage
from mien.tasks.runtime.workers import abandon_work, end_work, places, tick, turn, work_progress

R = TypeVar("R")

MAX_SHARDS_AT_ONCE = 300
"""Task runs of a stage that are begun at once, each a thread that waits: for 256 workers, and what is made ready."""
MAX_TASKS_AT_ONCE = 32
"""Of all other steps."""
BEGUN_AHEAD = 4
"""Task runs that wait for their turn, besides one for each process: to begin one takes some of a second."""
MAX_FAILED = 3
"""Shards of a stage that fail, each tried again, before the stage is given up; with fewer the others are still made."""


def shard_threads() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of the flows with shards: its threads only wait for the worker processes."""
    return _threads(MAX_TASKS_AT_ONCE)


def _threads(number: int) -> TaskRunner[PrefectFuture[Any]]:
    return ThreadPoolTaskRunner[PrefectFuture[Any]](max_workers=number)  # pyright: ignore[reportReturnType]


def run_stage(
    stage: Stage[Item, Settings], root: Root, items: Sequence[Item], settings: Settings, total: int
) -> list[ShardRef]:
    """The shard for each item, in their order; `total` is what they come to in the stage's unit.

    All are looked up first, since a task run takes longer than a look; those that are missing get a task run each. What
    other runs have in hand is waited for at the end.
    """
    with work_progress(stage.title, total, stage.unit):
        known = look_up(stage, root, settings, items)
        tick(sum(each.shard.rows for each in known if each.shard is not None))
        left = LeftShards(stage, root, items, settings, known, rank_in_force())
        most = min(MAX_SHARDS_AT_ONCE, 2 * places(stage.networks(settings)) + BEGUN_AHEAD)
        with _threads(most) as threads:
            _make(stage, root, items, settings, left, partial(threads.submit, _task_of(stage)), most)
        clear_leases(root, stage.table, {name for name in left.names if name is not None}, left.past)
        return [shard for shard in left.shards if shard is not None]


def _make(
    stage: Stage[Item, Settings],
    root: Root,
    items: Sequence[Item],
    settings: Settings,
    left: LeftShards[Item, Settings],
    submit: Callable[[dict[str, Any]], PrefectFuture[ShardRef | Passed]],
    most: int,
) -> None:
    """Makes what is left, `most` at once. Raises the first error when all else is done, or when some more have failed
    for good: then the fault is not of one shard, and nothing more is begun."""
    ended = SimpleQueue[int]()
    begun: dict[int, PrefectFuture[ShardRef | Passed]] = {}
    failed: list[Exception] = []
    try:
        while len(failed) < MAX_FAILED:
            while len(begun) < most and (index := left.next()) is not None:
                name, number = left.names[index], index + 1
                past = None if left.past is None else left.past.get(name or "", "")
                given = (stage, root, items[index], settings, name, number, len(items), devices_in_force(), past)
                begun[index] = submit(_PARAMETERS.bind(*given).arguments)
                begun[index].add_done_callback(partial(_note, ended, index))
            if not begun and left.pause_s is None:
                break
            try:
                index = ended.get(timeout=left.pause_s)
                left.came(index, begun.pop(index).result())
            except Empty:
                left.look_again()
            except Exception as error:
                failed.append(error)
    except BaseException as error:
        _give_up(list(begun.values()))
        end_leases()
        if not isinstance(error, Exception):  # a signal: nobody is to wait for what is in hand
            end_work()
        raise
    if failed:
        if begun:
            _give_up(list(begun.values()))
        raise failed[0]


def _note(ended: SimpleQueue[int], index: int, _future: object) -> None:
    ended.put(index)


def _task_of(stage: Stage[Any, Any]) -> Task[..., ShardRef | Passed]:
    """The Prefect task of a stage: its runs are named `detect and align 3 of 12`. One that finds the shard in the hands
    of another run ends at once, and a later one of this name comes back to it."""
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
    past: str | None,
) -> ShardRef | Passed:
    """`number` and `count` are there for the name of the run, the devices for task runners in other processes. `past`
    is that of `leased`: None where no other run of the job is at work."""
    compute_on(devices)
    name = name or stage.name(root, item, settings)
    with ExitStack() as in_hand, turn(stage.networks(settings)):  # the lease is given back when another's turn has come
        lease = in_hand.enter_context(leased(root, stage.table, name, stage.title, past))
        if isinstance(lease, Held):
            return Passed(name, lease.by)
        if isinstance(lease, MadeElsewhere) and (found := find_good_shard(root, stage.table, lease.name)):
            tick(found.rows)
            return found
        made = make_in_worker(stage, root, item, settings, name)
        if isinstance(lease, Lease) and past is not None and made.fingerprint != name:
            lease.made = made.fingerprint
        return made


_PARAMETERS = signature(_shard_run)


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
    """What `run` makes of each video, in order. It looks whether another run has done the video by then."""
    if not videos:
        return []
    order = own_first(range(len(videos)), rank_in_force())
    with work_progress("choose frames", len(videos), "videos"):
        futures = run.map(unmapped(root), [videos[index] for index in order], unmapped(settings))
        made = dict(zip(order, results(futures), strict=True))
        return [made[index] for index in range(len(videos))]
