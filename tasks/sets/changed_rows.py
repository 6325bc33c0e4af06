"""A table with some of its rows changed: the shards that these are in are written anew, all others stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from mien.storage import Root, ShardRef, TableName, find_good_shard, fingerprint, read_shard, write_shard
from mien.storage.schemas import SCHEMAS

Row = dict[str, Any]
Judge = Callable[[Row], Mapping[str, Any] | None]
"""What changes in a row, by column; None where nothing does."""

_SHARDS_AT_ONCE = 8


def with_changes(
    root: Root, table: TableName, shards: Sequence[ShardRef], columns: Sequence[str], judge: Judge
) -> list[ShardRef]:
    """The shards with what `judge` changes in their rows, of which it is given these columns; in their order.

    Raises:
        StorageError: a shard cannot be read or written.
    """
    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as threads:
        return list(threads.map(lambda shard: _changed(root, table, shard, columns, judge), shards))


def _changed(root: Root, table: TableName, shard: ShardRef, columns: Sequence[str], judge: Judge) -> ShardRef:
    rows = read_shard(root, table, shard.fingerprint, columns).to_pylist()
    verdicts = {number: verdict for number, row in enumerate(rows) if (verdict := judge(row)) is not None}
    if not verdicts:
        return shard
    changes = [[number, {name: verdict[name] for name in sorted(verdict)}] for number, verdict in verdicts.items()]
    name = fingerprint({"changed": shard.fingerprint, "changes": changes})
    if found := find_good_shard(root, table, name):
        return found
    whole = read_shard(root, table, shard.fingerprint).to_pylist()
    for number, verdict in verdicts.items():
        whole[number] |= verdict
    return write_shard(root, table, name, pa.Table.from_pylist(whole, schema=SCHEMAS[table]))
