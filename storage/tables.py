"""Tables: manifests over shards, and how to read them.

A manifest `{table}/manifests/{fingerprint}.json` lists the shards of a table and is written last: it is the commit.
What was killed before it left shards that belong to no table, and that the next run finds again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mien.storage.errors import DamagedError, MissingError, StorageError
from mien.storage.fingerprints import JSON, fingerprint, is_fingerprint
from mien.storage.packed_shards import PACKED_FROM, pack, unpack
from mien.storage.root import Root
from mien.storage.schemas import SCHEMAS, STATUSES, TABLES, Status, TableName
from mien.storage.sealed_filesystem import sealed_filesystem
from mien.storage.sets import list_sets, read_set
from mien.storage.shards import ShardRef, shard_path, shard_schema

if TYPE_CHECKING:
    import pyarrow.dataset as ds

FORMAT, PACKED_FORMAT = 2, 3
"""Of the manifests: with a line for each shard, and with the list of very many (`packed_shards.py`). A reader refuses
another one."""

_FORMAT_ADVICE = "prepare the set again if this is an older format, upgrade mien if it is a newer one"
_log = logging.getLogger("mien.storage")
_SHORTEST_PREFIX = 6
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class TableRef:
    """A committed table: what may pass between tasks instead of its rows."""

    root_url: str
    table: TableName
    fingerprint: str

    @property
    def uri(self) -> str:
        """Its manifest, as a user writes it."""
        return f"{self.root_url.rstrip('/')}/{_manifest_path(self.table, self.fingerprint)}"


@dataclass(frozen=True)
class Manifest:
    """What a committed table is made of."""

    table: TableName
    fingerprint: str
    shards: tuple[ShardRef, ...]
    about: Mapping[str, JSON]
    """What it was made from: settings, code version, fingerprints of other tables."""

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def counts(self) -> dict[Status, int]:
        """Rows by status; every status is a key."""
        return {status: sum(shard.counts[status] for shard in self.shards) for status in STATUSES}


def commit(root: Root, table: TableName, shards: Sequence[ShardRef], about: Mapping[str, JSON]) -> TableRef:
    """Makes shards visible as one table, in this order. Doing it again changes nothing.

    Shards are named by what decides their content, so those without rows may have one name: such a shard is listed
    once. The table's fingerprint is that of its name, its shards and `about`.

    Raises:
        StorageError: a shard is of another table or listed twice, or the root cannot be written.
    """
    shards = _empty_once(shards)
    names = [shard.fingerprint for shard in shards]
    if odd := [shard for shard in shards if shard.table != table]:
        raise StorageError(f"the shard {odd[0].fingerprint} is of {odd[0].table}: it cannot be committed to {table}")
    if len(set(names)) != len(names):
        raise StorageError(f"a shard is listed twice for {table}: each belongs to a table once")
    listed = pack(shards) if len(shards) >= PACKED_FROM else [_shard_json(shard) for shard in shards]
    name = _name(table, listed, about)
    content = _manifest_json(Manifest(table, name, tuple(shards), about), listed)
    root.write_bytes(_manifest_path(table, name), json.dumps(content, indent=1).encode())
    return TableRef(root.url, table, name)


def _empty_once(shards: Sequence[ShardRef]) -> list[ShardRef]:
    """The shards, of those without rows each name once."""
    empty: set[str] = set()
    kept: list[ShardRef] = []
    for shard in shards:
        if shard.rows == 0:
            if shard.fingerprint in empty:
                continue
            empty.add(shard.fingerprint)
        kept.append(shard)
    return kept


Listed = list[dict[str, JSON]] | dict[str, JSON]
"""Shards as a manifest lists them: one by one, or packed."""


def _format(listed: Listed) -> int:
    return PACKED_FORMAT if isinstance(listed, dict) else FORMAT


def _name(table: TableName, listed: Listed, about: Mapping[str, JSON]) -> str:
    """The table's fingerprint: of everything that its manifest says."""
    return fingerprint({"format": _format(listed), "table": table, "shards": listed, "about": about})


def _shard_json(shard: ShardRef) -> dict[str, JSON]:
    return {
        "fingerprint": shard.fingerprint,
        "rows": shard.rows,
        "counts": {str(status): count for status, count in shard.counts.items()},
        "sha256": shard.sha256,
    }


def _manifest_path(table: TableName, name: str) -> str:
    if table not in TABLES:
        raise StorageError(f"there is no table {table!r}: choose one of {', '.join(TABLES)}")
    return f"{table}/manifests/{name}.json"


def _manifest_json(manifest: Manifest, listed: Listed) -> dict[str, Any]:
    return {
        "format": _format(listed),
        "table": manifest.table,
        "fingerprint": manifest.fingerprint,
        "rows": manifest.rows,
        "counts": {str(status): count for status, count in manifest.counts.items()},
        "about": manifest.about,
        "shards": listed,
    }


def read_manifest(root: Root, table: TableName, fingerprint: str) -> Manifest:
    """The manifest of a committed table.

    Raises:
        StorageError: there is none of this (whole) fingerprint, it is damaged or of another format, or the root cannot
            be read.
    """
    path = _manifest_path(table, fingerprint)
    try:
        content: dict[str, Any] = json.loads(root.read_bytes(path))
        if content["format"] not in (FORMAT, PACKED_FORMAT):
            raise StorageError(
                f"{root.uri(path)} has format {content['format']}, not {FORMAT} or {PACKED_FORMAT}: {_FORMAT_ADVICE}"
            )
        manifest = Manifest(table, fingerprint, _shards(table, content["shards"]), content["about"])
        packed = content["format"] == PACKED_FORMAT
        listed: Listed = pack(manifest.shards) if packed else [_shard_json(shard) for shard in manifest.shards]
        if _name(table, listed, content["about"]) != fingerprint or _manifest_json(manifest, listed) != content:
            raise ValueError("the content is not what the name says")
        return manifest
    except MissingError as error:
        raise _unknown(root, table, fingerprint) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{root.uri(path)} is damaged: run the flow that made it again, or mien rollback") from error


def _shards(table: TableName, listed: Any) -> tuple[ShardRef, ...]:
    if isinstance(listed, dict):
        return unpack(table, listed)
    return tuple(ShardRef(table, s["fingerprint"], s["rows"], s["counts"], s["sha256"]) for s in listed)


def list_manifests(root: Root, table: TableName) -> list[Manifest]:
    """All committed versions of a table, sorted by fingerprint (a version does not know its age).

    One that is damaged or of another format is told in one line of the log, and left out.

    Raises:
        StorageError: the root cannot be read.
    """
    found: list[Manifest] = []
    for name in manifest_names(root, table):
        try:
            found.append(read_manifest(root, table, name))
        except StorageError as error:
            if not root.exists(_manifest_path(table, name)):
                continue  # deleted meanwhile
            _log.warning("%s", error)
    return found


def manifest_names(root: Root, table: TableName) -> list[str]:
    """Fingerprints of all committed versions of a table, sorted; no manifest is read."""
    files = root.list(_manifest_path(table, "").rpartition("/")[0])
    names = [file.removesuffix(".json") for file in files if file.endswith(".json")]
    return [name for name in names if is_fingerprint(name)]


def open_table(root: Root | str, table: TableName, name_or_fingerprint: str) -> ds.Dataset:
    """A committed table as an Arrow dataset, whose rows are in the order of its shards.

    It is named by a set that has it, by its fingerprint, or by the first 6 or more digits of that. Nothing but the
    manifest is read (and one footer, for heatmaps) before rows are asked for. An empty table has its columns and no
    rows; one of heatmaps, which has no shard to tell the shape, has them as plain binary.

    Raises:
        StorageError: there is no such table (the message lists those that there are), or the root cannot be read.
    """
    import pyarrow.dataset as ds  # it loads pandas: half a second of a worker process, which opens single shards

    root = Root(root) if isinstance(root, str) else root
    manifest = read_manifest(root, table, _resolve(root, table, name_or_fingerprint))
    schema = _schema(root, manifest)
    if not manifest.shards:
        return ds.dataset(schema.empty_table())
    paths = [root.full_path(shard_path(table, shard.fingerprint)) for shard in manifest.shards]
    seals = {path: shard.sha256 for path, shard in zip(paths, manifest.shards, strict=True)}
    kind, filesystem = ds.ParquetFileFormat(), sealed_filesystem(root, seals)
    # Fragments rather than a list of files: the given order is kept, and no file is opened here.
    fragments = [kind.make_fragment(path, filesystem) for path in paths]
    return ds.FileSystemDataset(fragments, schema, kind, filesystem)


def _schema(root: Root, manifest: Manifest) -> pa.Schema:
    if manifest.table != "heatmaps":
        return SCHEMAS[manifest.table]
    if manifest.shards:
        return shard_schema(root, "heatmaps", manifest.shards[0].fingerprint)
    text, binary = pa.string(), pa.binary()
    return pa.schema([("face_id", text), ("heatmap", binary), ("status", text), ("reason", text), ("failure", text)])


def _resolve(root: Root, table: TableName, name: str) -> str:
    """The fingerprint that is meant. A set's name goes before the beginning of a fingerprint."""
    if is_fingerprint(name):
        return name
    named = {known.name: known for known in list_sets(root)}
    if name in named:
        tables = named[name].tables
        if table not in tables:
            raise StorageError(f"the set {name!r} in {root.url} has no {table}; it has {', '.join(tables)}")
        return tables[table]
    found = [each for each in manifest_names(root, table) if _is_prefix(name) and each.startswith(name)]
    if len(found) > 1:
        raise StorageError(f"{name} begins {len(found)} fingerprints of {table}: give more digits")
    if not found:
        raise _unknown(root, table, name)
    return found[0]


def _is_prefix(text: str) -> bool:
    return len(text) >= _SHORTEST_PREFIX and set(text) <= _HEX


def _unknown(root: Root, table: TableName, name: str) -> StorageError:
    sets = [known.name for known in list_sets(root) if table in known.tables]
    versions = [each[:12] for each in manifest_names(root, table)]
    known = f"sets {', '.join(sets) or 'none'}; versions {', '.join(versions[:10]) or 'none'}"
    more = f" and {len(versions) - 10} more" if len(versions) > 10 else ""
    return StorageError(f"{root.url} has no {table} named {name!r}; it has {known}{more}")


def former_manifest(root: Root, name: str, table: TableName) -> Manifest | None:
    """The set's table as it stands, if there is one. A damaged manifest is told in one line and counts as none."""
    if name not in {known.name for known in list_sets(root)}:
        return None
    fingerprint = read_set(root, name).tables.get(table)
    try:
        return read_manifest(root, table, fingerprint) if fingerprint else None
    except DamagedError as error:
        _log.warning("%s", error)
        return None
