"""Damage to a root in three degrees: a file written by other means, one sealed by our own writer under the old name,
and one for which the manifests of all tables after it were committed anew, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage import Manifest, Root, ShardRef, commit, fingerprint, read_manifest, read_set, read_shard, write_set
from mien.storage import write_shard as write_sealed
from tests.small_root import GENERATED, PREPARED

Degree = Literal["raw", "sealed", "committed"]
Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def manifest_of(root: Root, table: Any) -> Manifest:
    """Of the table of the small root."""
    name = GENERATED if table in ("pairs", "transfers") else PREPARED
    return read_manifest(root, table, read_set(root, name).tables[table])


def damage(root: Root, table: Any, change: Change, degree: Degree) -> None:
    """Changes the rows of the first shard of a table."""
    manifest = manifest_of(root, table)
    shard = manifest.shards[0]
    rows = read_shard(root, table, shard.fingerprint)
    changed = pa.Table.from_pylist(change(rows.to_pylist()), schema=rows.schema)
    if degree == "raw":
        path = root.local_path(f"{table}/shards/{shard.fingerprint}.parquet")
        assert path is not None
        pq.write_table(changed, path)
    else:
        name = shard.fingerprint if degree == "sealed" else fingerprint(["forged", shard.fingerprint])
        made = write_sealed(root, table, name, changed)
        if degree == "committed":
            commit_anew(root, replace(manifest, shards=(made, *manifest.shards[1:])))


def commit_anew(root: Root, manifest: Manifest, shards: Sequence[ShardRef] | None = None) -> None:
    """Commits a table with other shards or settings, then all tables after it so that they name it, then the sets."""
    renamed: dict[str, str] = {}
    new = {manifest.table: manifest if shards is None else replace(manifest, shards=tuple(shards))}
    sets = {PREPARED: dict(read_set(root, PREPARED).tables), GENERATED: dict(read_set(root, GENERATED).tables)}
    for tables in sets.values():
        for table, known in tables.items():
            each = new.get(table) or read_manifest(root, table, known)
            about: Any = _renamed(each.about, renamed)
            tables[table] = commit(root, table, each.shards, about).fingerprint
            renamed[known] = tables[table]
    for name, tables in sets.items():
        write_set(root, name, tables)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value
