"""One item that ends a worker process must not cost the shard: the item is found, tried alone, and left out with its
reason.

    a worker dies with items in hand  →  these are tried alone, halved again and again  →  one that dies alone twice is
    lost  →  the shard is made without it: same name, same rows, same order

Where none of them dies alone, they were too much or too slow together, or the fault has passed: the shard is then made
with one item in hand at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from mien.storage import Root, ShardRef, fingerprint
from mien.tasks.errors import HopelessError
from mien.tasks.runtime.attempts import Attempt, LostItemError, run_attempt
from mien.tasks.runtime.limits import Step, limits_in_force
from mien.tasks.runtime.stage import Stage, make_shard, slow_name
from mien.tasks.runtime.worker_process import WorkerDiedError
from mien.tasks.runtime.workers import are_elsewhere, in_worker_by_steps

R = TypeVar("R")

_log = logging.getLogger("mien.tasks")

MAX_UNEXPLAINED = 3
"""Deaths in one shard after which no item died alone."""
MAX_LOST = 32
"""Items lost in a shard, where no other one of the stage was made, after which the fault is not the items'."""

Losses = Mapping[int, LostItemError]

_stages_that_work = set[str]()


def make_in_worker(stage: Stage[Any, Any], root: Root, item: Any, settings: Any, name: str | None) -> ShardRef:
    """The shard for an item, made in a worker process; items that end the process have a row that says so.

    Raises:
        WorkerDiedError: the process died, and no item is to blame.
        HopelessError: every item ends the process.
    """
    name = name or stage.name(root, item, settings)
    lost: dict[int, LostItemError] = {}
    unexplained = 0
    named_elsewhere = name if are_elsewhere() else None

    def attempt(trial: range | None = None) -> ShardRef | None:
        work = partial(make_shard, stage, root, item, settings, shard_name(name, lost), named_elsewhere)
        return in_worker_by_steps(
            stage.step, stage.networks(settings), run_attempt, Attempt(dict(lost), trial, unexplained > 0), work
        )

    while True:
        try:
            made = attempt()
            assert made is not None  # only a trial gives none
            if made.rows > len(lost):
                _stages_that_work.add(stage.title)
            return made
        except WorkerDiedError as death:
            found = _lost_among(attempt, death.in_hand or range(0), stage.step, stage.crashes)
            unexplained += not found
            if death.in_hand is None or unexplained == MAX_UNEXPLAINED:
                raise
            lost |= found
        for error in found.values():
            _log.warning("%s: one of the %s %s; the others go on", stage.title, stage.unit, error)
        if len(lost) >= MAX_LOST and stage.title not in _stages_that_work:
            raise HopelessError(f"{stage.title}: all of {len(lost)} {stage.unit} failed: {lost[min(lost)]}")


def _lost_among(attempt: Callable[[range], object], items: range, step: Step, crashes: str) -> Losses:
    """Which of these items end a process alone, and why: tried together, then halved."""
    if not items:
        return {}
    if len(items) == 1:
        fault = tried_twice(step, crashes, lambda: attempt(items))
        return {items.start: fault} if isinstance(fault, LostItemError) else {}
    try:
        attempt(items)
        return {}
    except WorkerDiedError as death:
        suspects = death.in_hand or items
    middle = suspects.start + -(-len(suspects) // 2)
    halves = range(suspects.start, middle), range(middle, suspects.stop)
    return {at: why for half in halves for at, why in _lost_among(attempt, half, step, crashes).items()}


def tried_twice(step: Step, crashes: str, work: Callable[[], R]) -> R | LostItemError:
    """What `work` gives, which tries one item in a worker process; or what becomes of an item that has ended two."""
    try:
        return work()
    except WorkerDiedError:
        pass
    try:
        return work()
    except WorkerDiedError as death:
        return lost_item(death, step, crashes)


def lost_item(death: WorkerDiedError, step: Step, crashes: str) -> LostItemError:
    """What becomes of an item that has ended two processes alone (docs/decisions/0015).

    A crash or a hang that repeats under the same code, libraries and bytes is a property of the bytes. A lack of memory
    is one of the machine.
    """
    if death.cause == "crash":
        return LostItemError(f"crashed {crashes} ({death.detail})", "content")
    if death.cause == "time":
        limit_s = limits_in_force().seconds(step)
        return LostItemError(f"took longer than {death.detail}", "content", limit_s)
    if death.cause == "memory":
        return LostItemError(f"took more memory than {death.detail}: set work.worker_mib, or fewer --workers", "source")
    return LostItemError(f"the process that had it in hand was killed twice ({death.detail})", "source")


def shard_name(name: str, lost: Losses) -> str:
    """What a shard is called of which these items are lost.

    One with crashes keeps its name, since they would repeat. One with items that were slow is found by runs with the
    same limits. One with items that a lack of memory has cost is found by no run, so that they are asked for again.
    """
    if passing := {at: str(why) for at, why in sorted(lost.items()) if why.kind == "source"}:
        return fingerprint({"shard": name, "without": list(passing.items())})
    slow = [why.limit_s for why in lost.values() if why.limit_s is not None]
    return slow_name(name, slow[0]) if slow else name
