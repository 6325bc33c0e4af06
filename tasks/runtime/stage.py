"""The stage: how one table comes from the one before it, shard by shard.

A stage is a value. It names each of its shards by everything that decides the content, so one that exists is found
and not made again; `tasks/runtime/fan_out.py` runs any stage over many shards.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mien.storage import JSON, Root, ShardRef, TableName, TableRef, commit, find_good_shard, fingerprint, source_digest
from mien.tasks.errors import HopelessError
from mien.tasks.runtime.limits import Step, limits_in_force
from mien.tasks.runtime.reports import tick

Item = TypeVar("Item")
Settings = TypeVar("Settings")


def _always(*_: object) -> bool:
    return True


def _never(*_: object) -> bool:
    return False


@dataclass(frozen=True)
class Stage(Generic[Item, Settings]):
    """One step of the pipeline over shards. An item is what one shard is made from."""

    title: str
    """As progress and task runs name it, such as `detect and align`."""
    unit: str
    """What is counted while it runs, such as `photos`."""
    table: TableName
    module: str
    """The module that makes the shards. It and all that it imports are the stage's code version."""
    decides: Callable[[Root, Item, Settings], Mapping[str, Any]]
    """Everything besides the code that decides the content of the shard, as JSON."""
    make: Callable[[Root, str, Item, Settings], ShardRef]
    """Makes and writes the shard of this name; runs in a worker process. Says which item it has in hand, and leaves out
    those that are lost (`tasks/runtime/attempts.py`)."""
    crashes: str
    """What has crashed where an item ends the process, such as `the detector`."""
    is_final: Callable[[Root, ShardRef, Item], bool] = _always
    """Whether a shard that exists is worth keeping."""
    step: Step = "item"
    """What is in hand at once."""
    networks: Callable[[Settings], bool] = _never
    """Whether networks on the devices take most of its time: then its shards are made in the processes of these."""

    def __post_init__(self) -> None:
        source_digest(self.module)  # of the files as they are imported, not as they may lie there when the stage runs

    @property
    def code(self) -> str:
        """The code version."""
        return source_digest(self.module)

    def name(self, root: Root, item: Item, settings: Settings) -> str:
        """Fingerprint of the shard for an item."""
        return fingerprint({"code": self.code, **self.decides(root, item, settings)})

    def find(self, root: Root, name: str, item: Item) -> ShardRef | None:
        """The shard of this name, if it exists and is worth keeping; or the one in which items took longer
        than they may now."""
        for called in (name, slow_name(name, limits_in_force().seconds(self.step))):
            found = find_good_shard(root, self.table, called)
            if found is not None and self.is_final(root, found, item):
                return found
        return None

    def commit(self, root: Root, shards: Sequence[ShardRef], about: Mapping[str, JSON]) -> TableRef:
        """Makes the shards visible as one table."""
        return commit(root, self.table, shards, {**about, "code": self.code})


def slow_name(name: str, limit_s: float) -> str:
    """What a shard is called in which items took longer than this: with more time it is made again."""
    return fingerprint({"shard": name, "limit_s": limit_s})


def make_shard(
    stage: Stage[Item, Settings],
    root: Root,
    item: Item,
    settings: Settings,
    name: str | None = None,
    named_elsewhere: str | None = None,
) -> ShardRef:
    """The shard for an item, whose name may be known already; runs in a worker process.

    It is looked for when its turn has come: another run may have made it since this one began.

    Args:
        stage: The stage.
        root: Where its shards lie.
        item: What the shard is made from.
        settings: Of the stage.
        name: Of the shard.
        named_elsewhere: What another machine calls the shard of the item, before any item of it was lost.

    Raises:
        HopelessError: this machine calls it otherwise, so that it would make another one.
    """
    if named_elsewhere is not None and stage.name(root, item, settings) != named_elsewhere:
        raise HopelessError(
            f"{stage.title}: {socket.gethostname()} would make other shards than the machine that asks for them: "
            "install the same versions of mien, its libraries and its detector on all nodes"
        )
    name = name or stage.name(root, item, settings)
    if found := stage.find(root, name, item):
        tick(found.rows)
        return found
    return stage.make(root, name, item, settings)
