"""Checks that a set is whole: every manifest's shards, every row's ids and hash, every picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
from mien.storage import Manifest, Root, Status, StorageError, TableName, read_manifest, read_set, read_shard
from mien.tasks.runtime.workers import in_worker, tick, work_progress

_PICTURES: dict[TableName, str] = {"faces": "crop", "transfers": "image"}
_KEYS: dict[TableName, str] = {
    "images": "image_id",
    "faces": "face_id",
    "heatmaps": "face_id",
    "pairs": "pair_id",
    "transfers": "output_id",
}
_REFERS: dict[TableName, dict[str, TableName]] = {
    "faces": {"image_id": "images"},
    "heatmaps": {"face_id": "faces"},
    "pairs": {"identity_face_id": "faces", "expression_face_id": "faces"},
    "transfers": {"pair_id": "pairs", "identity_face_id": "faces", "expression_face_id": "faces"},
}
_UNIQUE: tuple[TableName, ...] = ("transfers",)
MOST_FAULTS = 1000
"""After so many a set is beyond doubt broken."""


@dataclass
class Verified:
    """What was looked at, and what is wrong."""

    rows: dict[str, int] = field(default_factory=dict)
    """By table."""
    pictures: int = 0
    faults: list[str] = field(default_factory=list)
    """One line each."""


@dataclass(frozen=True)
class _Shard:
    """What one shard has and what is wrong with it."""

    ids: dict[str, tuple[bytes, ...]]
    """Digests of the values of each column of ids: they take little memory."""
    rows: int
    pictures: int
    faults: tuple[str, ...]
    listed: bool
    """Whether its rows are of a list, which may repeat itself."""


def verify(root: Root, name: str) -> Verified:
    """Looks at all rows of all tables of a set, and of the sets that generated faces were made from.

    Raises:
        StorageError: there is no such set.
    """
    out = Verified()
    manifests = list(_manifests(root, name, out))
    with work_progress("verify", sum(manifest.rows for manifest in manifests), "rows"):
        known: dict[TableName, set[bytes]] = {}
        found = [(manifest, list(_shards(root, manifest, out))) for manifest in manifests]
    for manifest, shards in found:
        ids = [digest for shard in shards for digest in shard.ids.get(_KEYS[manifest.table], ())]
        known.setdefault(manifest.table, set()).update(ids)
        if manifest.table in _UNIQUE and not any(shard.listed for shard in shards) and len(set(ids)) < len(ids):
            out.faults.append(f"{manifest.table} {manifest.fingerprint}: {len(ids) - len(set(ids))} rows come twice")
    for manifest, shards in found:
        for column, table in _REFERS.get(manifest.table, {}).items():
            if table in known:
                astray = sum(digest not in known[table] for shard in shards for digest in shard.ids.get(column, ()))
                if astray:
                    where = f"{manifest.table} {manifest.fingerprint}"
                    out.faults.append(f"{where}: {astray} rows name a {column} that {table} does not have")
    return out


def _manifests(root: Root, name: str, out: Verified) -> Iterator[Manifest]:
    """Of a set's tables, and of those that its generated faces were made from; each once."""
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[TableName, str]] = list(read_set(root, name).tables.items())
    while waiting:
        table, fingerprint = waiting.pop(0)
        if (table, fingerprint) in seen:
            continue
        seen.add((table, fingerprint))
        try:
            manifest = read_manifest(root, table, fingerprint)
        except StorageError as error:
            out.faults.append(str(error))
            continue
        about: Any = manifest.about
        if table == "faces" and "images" in about:
            waiting.append(("images", about["images"]))
        if table == "pairs":
            for side in ("identities", "expressions"):
                waiting.append(("faces", about[side]["faces"]))
                waiting.append(("heatmaps", about[side]["heatmaps"]))
        yield manifest


def _shards(root: Root, manifest: Manifest, out: Verified) -> Iterator[_Shard]:
    for shard in manifest.shards:
        if len(out.faults) >= MOST_FAULTS:
            out.faults.append("and more: stopped looking")
            return
        found: _Shard = in_worker(_look, root, manifest.table, shard.fingerprint, shard.rows, dict(shard.counts))
        out.rows[manifest.table] = out.rows.get(manifest.table, 0) + found.rows
        out.pictures += found.pictures
        out.faults += found.faults
        yield found


def _look(root: Root, table: TableName, name: str, expected: int, counts: Mapping[Status, int]) -> _Shard:
    tick(expected)
    where = f"{table} shard {name}"
    columns = {_KEYS[table], *_REFERS.get(table, {}), "status", *_extra(table)}
    try:
        rows = read_shard(root, table, name, sorted(columns)).to_pylist()
    except (StorageError, OSError, ValueError) as error:  # pyarrow's errors of damaged files are OSError or ValueError
        return _Shard({}, 0, 0, (f"{where}: {str(error).splitlines()[0]}",), False)
    faults = list(_row_faults(table, rows, where))
    found = {status: sum(row["status"] == status for row in rows) for status in counts}
    if len(rows) != expected or found != counts:
        faults.append(f"{where}: {len(rows)} rows ({found}), but the manifest counts {expected} ({counts})")
    ids = {
        column: tuple(_digest(row[column]) for row in rows if row[column] is not None)
        for column in (_KEYS[table], *_REFERS.get(table, {}))
    }
    picture = _PICTURES.get(table)
    pictures = sum(row[picture] is not None for row in rows) if picture else 0
    return _Shard(
        ids, len(rows), pictures, tuple(faults), table == "transfers" and any(r["rank"] is None for r in rows)
    )


def _extra(table: TableName) -> Sequence[str]:
    if table == "transfers":
        return ("image", "sha256", "uri", "rank")
    return (_PICTURES[table],) if table in _PICTURES else ()


def _row_faults(table: TableName, rows: Iterable[dict[str, Any]], where: str) -> Iterator[str]:
    picture = _PICTURES.get(table)
    for row in rows:
        told = f"{where}: {_KEYS[table]} {row[_KEYS[table]]}"
        data = row[picture] if picture else None
        if data is not None:
            try:
                decode_rgb(data)
            except ImageError as error:
                yield f"{told}: its {picture} cannot be decoded ({error})"
        if table == "transfers":
            if data is None and row["uri"] is None and row["status"] == "ok":
                yield f"{told}: accepted, but there is no image"
            if data is not None and hashlib.sha256(data).hexdigest() != row["sha256"]:
                yield f"{told}: its image is not the one whose hash is stored"


def _digest(value: str) -> bytes:
    return hashlib.blake2b(value.encode(), digest_size=12).digest()
