"""A part of a prepared set as a set of its own: nothing that is found from it can know the faces that were left out.

Neutrals, plans and limits of the gate are found from all faces of a set. An experiment that lets a person be known by
one photo needs a set in which the person has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mien.storage import (
    JSON,
    Root,
    ShardRef,
    TableName,
    commit,
    find_good_shard,
    fingerprint,
    read_manifest,
    read_set,
    read_shard,
    set_version,
    write_set,
    write_shard,
)
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables

_PART_OF = "part_of"


def make_subset(root: Root, name: str, tables: FaceTables, face_ids: Sequence[str]) -> FaceTables:
    """Makes the set `name` of some faces of a prepared set and of their photos; the same again changes nothing.

    Raises:
        UsageError: a face is not in the set, or another kind of set has the name.
    """
    former = read_set(root, name) if set_version(root, name) else None
    if former is not None and former.about.get(_PART_OF) != tables.name:
        raise UsageError(f"the set {name} is there and is no part of {tables.name}: choose another --prefix")
    wanted = sorted(set(face_ids))
    about: dict[str, Any] = dict(read_manifest(root, "faces", tables.faces).about)
    photos = _image_ids(root, tables, wanted)
    images = _part(root, "images", str(about["images"]), "image_id", photos, {})
    faces = _part(root, "faces", tables.faces, "face_id", wanted, {"images": images})
    heatmaps = _part(root, "heatmaps", tables.heatmaps, "face_id", wanted, {"faces": faces})
    source = read_set(root, tables.name)
    made_from = {**source.about, _PART_OF: tables.name}
    written = {"images": images, "faces": faces, "heatmaps": heatmaps}
    write_set(root, name, written, about=made_from)
    return FaceTables(name, faces, heatmaps)


def _image_ids(root: Root, tables: FaceTables, face_ids: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for shard in read_manifest(root, "faces", tables.faces).shards:
        rows = read_shard(root, "faces", shard.fingerprint, ["face_id", "image_id"])
        chosen = rows.filter(
            pc.call_function("is_in", [rows["face_id"]], pc.SetLookupOptions(pa.array(face_ids, pa.string())))
        )
        found |= dict(zip(chosen["face_id"].to_pylist(), chosen["image_id"].to_pylist(), strict=True))
    if missing := [face_id for face_id in face_ids if face_id not in found]:
        raise UsageError(f"{tables.name} has no face {missing[0]}")
    return sorted(set(found.values()))


def _part(
    root: Root, table: TableName, whole: str, key: str, values: Sequence[str], changed: Mapping[str, JSON]
) -> str:
    """Fingerprint of the table of the rows whose key is among the values."""
    manifest = read_manifest(root, table, whole)
    name = fingerprint({"part": whole, "values": list(values)})
    shard = find_good_shard(root, table, name) or _write(root, table, name, whole, key, values)
    about: dict[str, Any] = {**manifest.about, **changed, _PART_OF: whole}
    if "notes" in about:
        about["notes"] = []  # of sources that could not be listed: none of them is here
    return commit(root, table, [shard], about).fingerprint


def _write(root: Root, table: TableName, name: str, whole: str, key: str, values: Sequence[str]) -> ShardRef:
    chosen: list[pa.Table] = []
    for shard in read_manifest(root, table, whole).shards:
        keys = read_shard(root, table, shard.fingerprint, [key])[key]
        there = pc.call_function("is_in", [keys], pc.SetLookupOptions(pa.array(values, pa.string())))
        if pc.call_function("any", [there]).as_py():
            chosen.append(read_shard(root, table, shard.fingerprint).filter(there))
    return write_shard(root, table, name, pa.concat_tables(chosen))
