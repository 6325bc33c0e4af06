"""Rows of large tables by their key, shard by shard: what is looked up is read, and what was read is kept a while.

A dataset with a filter would read all of a table, pictures included, to find a few rows. Here the keys of a table are
read once per process; after that a lookup reads only the shards that hold its rows, and the latest of these stay in
memory up to a limit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
import pyarrow as pa

from mien.storage import Root, TableName, read_manifest, read_shard

MAX_KEPT_BYTES = 256 * 2**20
"""Of shards, in each process."""


@dataclass(frozen=True)
class _Keys:
    """The keys of a table, sorted, and where the row of each is."""

    keys: np.ndarray
    shards: np.ndarray
    rows: np.ndarray
    order: np.ndarray
    """Where the row of each is, counted over all shards."""
    names: tuple[str, ...]
    """Fingerprints of the shards."""


_reading = Lock()


def _keys(root: Root, table: TableName, fingerprint: str, key: str) -> _Keys:
    with _reading:  # many threads ask at once, and one reads
        return _read_keys(root, table, fingerprint, key)


@lru_cache(maxsize=16)
def _read_keys(root: Root, table: TableName, fingerprint: str, key: str) -> _Keys:
    names = tuple(shard.fingerprint for shard in read_manifest(root, table, fingerprint).shards)
    parts = [read_shard(root, table, name, [key, "status"]) for name in names]
    keys = np.array([(value or "").encode() for part in parts for value in part[key].to_pylist()], np.bytes_)
    unusable = np.array([status != "ok" for part in parts for status in part["status"].to_pylist()], np.bool_)
    shards = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(part)) for part in parts)])
    # Two rows of a list may name one photo: of rows with one key the first usable one counts, else the first.
    order = np.lexsort((unusable, keys))
    return _Keys(keys[order], shards[order], rows[order], order, names)


def table_keys(root: Root, table: TableName, fingerprint: str, key: str) -> list[str]:
    """The keys of a table, sorted, without nulls.

    Raises:
        StorageError: there is no such table or column, or a shard is gone.
    """
    return [value.decode() for value in _keys(root, table, fingerprint, key).keys.tolist() if value]


def look_up(
    root: Root, table: TableName, fingerprint: str, key: str, values: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[str, pa.Table]]:
    """(value of the key, a table of the one row) for each of `values` that is in the table.

    Of rows with one key the first usable one counts; where none is usable, the first.

    Raises:
        StorageError: there is no such table or column, or a shard is gone.
    """
    known = _keys(root, table, fingerprint, key)
    for position in sorted(_positions(known, values), key=lambda p: (known.shards[p], known.rows[p])):
        shard = _kept.read(root, table, known.names[known.shards[position]], tuple(columns))
        yield known.keys[position].item().decode(), shard.slice(int(known.rows[position]), 1)


def shards_of(root: Root, table: TableName, fingerprint: str, key: str, values: Sequence[str]) -> list[str]:
    """Fingerprints of the shards that hold the rows which `look_up` gives, each once, sorted. Reads no row.

    Raises:
        StorageError: there is no such table or column, or a shard is gone.
    """
    known = _keys(root, table, fingerprint, key)
    return sorted(known.names[shard] for shard in np.unique(known.shards[_positions(known, values)]).tolist())


def values_of(
    root: Root, table: TableName, fingerprint: str, key: str, values: Sequence[str], column: str
) -> dict[str, str]:
    """A column of strings for those of `values` that are in the table, by the key. The column is read once.

    Raises:
        StorageError: there is no such table or column, or a shard is gone.
    """
    known = _keys(root, table, fingerprint, key)
    positions = _positions(known, values)
    with _reading:
        found = _read_column(root, table, fingerprint, key, column)[positions]
    return dict(zip((value.decode() for value in known.keys[positions].tolist()), found.tolist(), strict=True))


@lru_cache(maxsize=8)
def _read_column(root: Root, table: TableName, fingerprint: str, key: str, column: str) -> np.ndarray:
    """In the order of the keys."""
    known = _read_keys(root, table, fingerprint, key)
    parts = [read_shard(root, table, name, [column])[column].to_pylist() for name in known.names]
    return np.array([value for part in parts for value in part], np.str_)[known.order]


def _positions(known: _Keys, values: Sequence[str]) -> np.ndarray:
    """Where the first row of each of the values stands, of those that are there, in the order of the keys."""
    keys = np.unique(np.array([value.encode() for value in values], np.bytes_))
    positions = np.searchsorted(known.keys, keys)
    there = positions < len(known.keys)
    there[there] = known.keys[positions[there]] == keys[there]
    return positions[there]


class _Kept:
    """The shards read last. Safe to share between threads."""

    def __init__(self) -> None:
        self._shards: OrderedDict[tuple[Root, TableName, str, tuple[str, ...]], pa.Table] = OrderedDict()
        self._lock = Lock()

    def read(self, root: Root, table: TableName, name: str, columns: tuple[str, ...]) -> pa.Table:
        """The columns of a shard."""
        with self._lock:
            key = (root, table, name, columns)
            if key in self._shards:
                self._shards.move_to_end(key)
                return self._shards[key]
            self._shards[key] = read_shard(root, table, name, columns)
            while len(self._shards) > 1 and sum(shard.nbytes for shard in self._shards.values()) > MAX_KEPT_BYTES:
                self._shards.popitem(last=False)
            return self._shards[key]


_kept = _Kept()
