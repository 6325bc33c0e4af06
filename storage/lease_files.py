"""The files of leases (`storage/leases.py`): where they lie, what is left of them, and which of them are dead."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from mien.storage.errors import MissingError, StorageError
from mien.storage.fingerprints import is_fingerprint
from mien.storage.lease_text import parsed_text
from mien.storage.root import Root
from mien.storage.schemas import TableName

UNREADABLE_S = 120.0
"""How long a lease counts that nobody can read."""

_seen: dict[tuple[str, str], tuple[bytes, float]] = {}
"""Content of leases of others, and since when by the monotonic clock of this process it is the same."""


def lease_folder(table: TableName) -> str:
    """Where the leases of a table's shards lie."""
    return f"{table}/leases"


def lease_path(table: TableName, name: str) -> str:
    """Where the lease of a shard lies."""
    return f"{lease_folder(table)}/{name}.json"


def is_dead(root: Root, path: str, data: bytes, in_hand: bool) -> bool:
    """Whether nobody has in hand what this lease says. What is read for the first time lives, unless its process is
    known to have ended.

    Args:
        root: Where it lies.
        path: Of the lease.
        data: What was read there a moment ago.
        in_hand: Whether this process has the shard in hand.
    """
    text = parsed_text(data)
    if text is not None and text.made:
        return True
    if text is not None and text.is_of_this_process:
        return not in_hand  # it could not be deleted when it ended
    if text is not None and text.has_ended:
        return True
    now_s = time.monotonic()
    content, since_s = _seen.get((root.url, path), (None, now_s))
    if content != data:
        _seen[root.url, path] = data, now_s
        return False
    return now_s - since_s >= (UNREADABLE_S if text is None else text.lease_s)


def leased_names(root: Root, table: TableName) -> set[str]:
    """The shards of a table that have a lease, be it a dead one.

    Raises:
        StorageError: the root cannot be read.
    """
    names = (name.removesuffix(".json") for name in root.list(lease_folder(table)) if name.endswith(".json"))
    return {name for name in names if is_fingerprint(name)}


def past_notes(root: Root, table: TableName, names: set[str]) -> dict[str, str]:
    """The notes that runs of before have left for these shards, by the shard: which note it is.

    Raises:
        StorageError: the root cannot be read.
    """
    found: dict[str, str] = {}
    for name in leased_names(root, table) & names:
        with suppress(MissingError):
            text = parsed_text(root.read_bytes(lease_path(table, name)))
            if text is not None and text.made:
                found[name] = text.holder
    return found


def clear_leases(root: Root, table: TableName, made: set[str], past: Mapping[str, str] | None = None) -> None:
    """Deletes what is left of the leases of shards that are made. What cannot be deleted is left to `mien gc`.

    With `past`, from `past_notes`, the notes since then stay: other runs of the job may not have read them.
    """
    with suppress(StorageError):
        since = {} if past is None else past_notes(root, table, made)
        for name in leased_names(root, table) & made:
            if name not in since or (past or {}).get(name) == since[name]:
                root.delete(lease_path(table, name))
    for name in made:
        _seen.pop((root.url, lease_path(table, name)), None)
