"""The shards of a stage that are left to make, where other runs may be making the same ones.

    waiting ─► this run makes it ────────────────────► there
          └──► another run has it in hand: passed by ─► there, or waiting again when its lease is gone or dead

What others have in hand is come back to when nothing else is left. Once it shows that other runs are at work, what is
next is looked up again before it is begun: to look costs less than a task run.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

from mien.storage import Root, ShardRef, StorageError
from mien.storage.lease_files import leased_names, past_notes
from mien.storage.leases import holder
from mien.tasks.runtime.ranks import Rank, own_first
from mien.tasks.runtime.stage import Item, Settings, Stage
from mien.tasks.runtime.workers import tick

LOOKS_AT_ONCE = 32
_SOON_S, _LATE_S = 0.1, 5.0
"""Shortest and longest pause between two looks at what others have in hand."""
_READ_S = 20.0
"""Between two readings of one lease: it has to stay the same for two minutes to be dead."""

_log = logging.getLogger("mien.tasks")


@dataclass(frozen=True)
class Known:
    """What is known of a shard after it was looked up."""

    name: str | None
    """None where the root could not be read: the task run fails with it, after trying again."""
    shard: ShardRef | None


@dataclass(frozen=True)
class Passed:
    """A shard that another run has in hand."""

    name: str
    by: str


def look_up(stage: Stage[Any, Any], root: Root, settings: Any, items: Iterable[Any]) -> list[Known]:
    """What there is of the shards for these items."""
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as threads:
        return list(threads.map(partial(_look_up, stage, root, settings), items))


def _look_up(stage: Stage[Any, Any], root: Root, settings: Any, item: Any) -> Known:
    name = None
    try:
        name = stage.name(root, item, settings)
        return Known(name, stage.find(root, name, item))
    except StorageError:
        return Known(name, None)


class LeftShards(Generic[Item, Settings]):
    """What is left of a stage, by positions of its items.

    Args:
        stage: The stage.
        root: Where its shards lie.
        items: All of them.
        settings: Of the stage.
        known: What the first look found, for each item.
        rank: Which of several runs this is, if anybody knows.
    """

    def __init__(
        self,
        stage: Stage[Item, Settings],
        root: Root,
        items: Sequence[Item],
        settings: Settings,
        known: Sequence[Known],
        rank: Rank | None,
    ) -> None:
        self._stage, self._root, self._items, self._settings = stage, root, items, settings
        self.names = [each.name for each in known]
        self.shards = [each.shard for each in known]
        missing = [index for index, shard in enumerate(self.shards) if shard is None]
        self._waiting = deque(own_first(missing, rank))
        self._ready = deque[int]()
        """Looked up a moment ago."""
        self._passed = dict[int, float]()
        """Which others have in hand, and when their leases were read last, by the monotonic clock."""
        self._others = rank is not None and rank.of > 1
        self.past: dict[str, str] | None = self._past_notes(missing) if self._others else None
        """Of runs of one job: the notes that were there when this one began."""
        self._rank = rank
        self._pause_s, self._told = _SOON_S, False

    def _past_notes(self, missing: Sequence[int]) -> dict[str, str]:
        with suppress(StorageError):
            return past_notes(self._root, self._stage.table, {name for i in missing if (name := self.names[i])})
        return {}

    def next(self) -> int | None:
        """The next one to begin; None where there is none now."""
        while not self._ready and self._waiting:
            if not self._others or self._is_own(self._waiting[0]):
                return self._waiting.popleft()
            self._look_ahead()
        return self._ready.popleft() if self._ready else None

    def _is_own(self, index: int) -> bool:
        return self._rank is not None and index % self._rank.of == self._rank.number

    def _look_ahead(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(LOOKS_AT_ONCE, len(self._waiting)))]
        leased = set[str]()
        with suppress(StorageError):
            leased = leased_names(self._root, self._stage.table)
        passed = [index for index in some if self.names[index] in leased]
        self._passed |= dict.fromkeys(passed, 0.0)
        self._look([index for index in some if index not in self._passed])

    def _look(self, indices: Sequence[int]) -> None:
        """Looks these up again: what is not there is ready to begin."""
        found = look_up(self._stage, self._root, self._settings, [self._items[index] for index in indices])
        for index, known in zip(indices, found, strict=True):
            if known.shard is None:
                self._ready.append(index)
            else:
                self.shards[index] = known.shard
                tick(known.shard.rows)

    def came(self, index: int, result: ShardRef | Passed) -> None:
        """Takes what came of one that was begun."""
        if isinstance(result, Passed):
            self.names[index] = result.name
            self._passed[index], self._others = time.monotonic(), True
        else:
            self.shards[index] = result

    @property
    def pause_s(self) -> float | None:
        """How long to wait before `look_again`; None where nothing is to be looked at."""
        return self._pause_s if self._passed else None

    def look_again(self) -> None:
        """Looks at what others have in hand: what they have made is there, what they have left is next."""
        if not self._told:
            self._told = True
            _log.warning("%s: %d shards are in the hands of other runs", self._stage.title, len(self._passed))
        self._pause_s = min(2 * self._pause_s, _LATE_S)
        try:
            leased = leased_names(self._root, self._stage.table)
            left = [index for index in self._passed if self.names[index] not in leased or self._is_free(index)]
        except StorageError:  # the next look may be answered
            return
        if left:
            self._pause_s = _SOON_S
            for index in left:
                del self._passed[index]
            self._look(left)

    def _is_free(self, index: int) -> bool:
        """Whether its lease is dead; read now and then."""
        now_s, name = time.monotonic(), self.names[index]
        if name is None or now_s - self._passed[index] < _READ_S:
            return False
        self._passed[index] = now_s
        return holder(self._root, self._stage.table, name) is None
