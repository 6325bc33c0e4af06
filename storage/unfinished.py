"""Shards with rows that their source did not answer for, and what the next run takes over from them.

A shard is found again by its name, so one with such rows must not have the name of the whole one: it is named by its
inputs and by what failed. A note `unfinished/{scope}/{shard}.json` lets the next run find it. Its good rows are taken
over, the others are asked for again; when all have answered, the shard is the one of a run that met no fault.

A scope is everything besides the inputs that decides rows: the code and the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from mien.storage.artefacts import UNFINISHED, json_artefact, keep
from mien.storage.errors import StorageError
from mien.storage.fingerprints import fingerprint, is_fingerprint
from mien.storage.root import Root
from mien.storage.schemas import TableName
from mien.storage.shards import ShardRef, read_shard, write_shard

_MAX_SHARDS = 8192
"""Whose keys a process remembers."""

_NOTE = json_artefact(UNFINISHED, dict[str, str])

Row = dict[str, Any]
Rows = Sequence[Row]
KeyOf = Callable[[Row], Hashable]


def source_failures(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Index and reason of the rows that their source did not answer for."""
    return [(index, row["reason"]) for index, row in enumerate(rows) if row.get("failure") == "source"]


def write_outcome(root: Root, table: TableName, name: str, rows: pa.Table, scope: str, waits: bool = False) -> ShardRef:
    """Writes a shard: under this name where every source answered, else under a name of its own.

    Args:
        root: Where to.
        table: Of the shard.
        name: Of the shard, where it is whole.
        rows: All of its rows.
        scope: What the note of an unfinished one lies under.
        waits: Whether it is unfinished though its own rows are whole, since inputs are still to come.

    Raises:
        StorageError: as `write_shard`.
    """
    failed = source_failures(rows.select(["reason", "failure"]).to_pylist())
    called = fingerprint({"unfinished": name, "failed": failed}) if failed else name
    if failed or waits:  # noted first: a run that is killed in between leaves a note without a shard
        keep(root, _NOTE, f"{scope}/{called}", {"table": table, "shard": called})
    return write_shard(root, table, called, rows)


def unfinished_shards(root: Root, scope: str) -> list[str]:
    """Names of the shards that are noted under this scope, sorted."""
    names = (name.removesuffix(".json") for name in root.list(_folder(scope)) if name.endswith(".json"))
    return [name for name in names if is_fingerprint(name)]


def _folder(scope: str) -> str:
    return UNFINISHED.path(f"{scope}/x").rpartition("/")[0]


class FormerRows:
    """The good rows of unfinished shards, by what tells inputs apart.

    Args:
        root: Where they lie.
        table: Of the shards.
        scope: As for `write_outcome`.
        columns: What `key_of` needs.
        key_of: The key of the input that a row belongs to. Rows of one input follow each other; of one of them alone
            the key tells nothing where `begins` is given.
        begins: Whether a row is the first one of its input; each is where there is one row for each input.
    """

    def __init__(
        self,
        root: Root,
        table: TableName,
        scope: str,
        columns: tuple[str, ...],
        key_of: KeyOf,
        begins: Callable[[Row], bool] | None = None,
    ) -> None:
        self._root, self._scope = root, scope
        self._table: TableName = table
        self._columns, self._key_of, self._begins = columns, key_of, begins

    def take(self, keys: Iterable[Hashable]) -> dict[Hashable, Rows]:
        """The rows of those of the inputs that are whole in a shard. A note whose good rows are all taken is deleted
        by `release`."""
        missing, found = set(keys), dict[Hashable, Rows]()
        for shard in unfinished_shards(self._root, self._scope) if missing else ():
            try:
                if missing.isdisjoint(self._keys(shard)):
                    continue
                rows = read_shard(self._root, self._table, shard).to_pylist()
            except StorageError:
                continue  # it was deleted, or is damaged: its rows are made again
            for key, group in self._groups(rows):
                if key in missing and not source_failures(group):
                    found[key] = group
            missing -= found.keys()
        return found

    def release(self, keys: Iterable[Hashable]) -> None:
        """Deletes the notes of shards all of whose inputs are among these: they are answered for now."""
        answered = set(keys)
        for shard in unfinished_shards(self._root, self._scope):
            try:
                if self._keys(shard) <= answered:
                    self._root.delete(UNFINISHED.path(f"{self._scope}/{shard}"))
            except StorageError:
                continue  # `mien gc` deletes notes of shards that are gone

    def _keys(self, shard: str) -> frozenset[Hashable]:
        return _keys(self._root, self._table, shard, self._columns, self._key_of, self._begins)

    def _groups(self, rows: Rows) -> Iterable[tuple[Hashable, Rows]]:
        return _groups(rows, self._key_of, self._begins)


@lru_cache(_MAX_SHARDS)
def _keys(
    root: Root,
    table: TableName,
    shard: str,
    columns: tuple[str, ...],
    key_of: KeyOf,
    begins: Callable[[Row], bool] | None,
) -> frozenset[Hashable]:
    """The keys of a shard's inputs. A shard of this name never changes, so that they are read once."""
    rows = read_shard(root, table, shard, columns).to_pylist()
    return frozenset(key for key, _ in _groups(rows, key_of, begins))


def _groups(rows: Rows, key_of: KeyOf, begins: Callable[[Row], bool] | None) -> Iterable[tuple[Hashable, Rows]]:
    starts = [index for index, row in enumerate(rows) if begins is None or begins(row)]
    for start, end in zip(starts, [*starts, len(rows)][1:], strict=True):
        yield key_of(rows[start]), rows[start:end]
