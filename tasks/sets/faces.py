"""Reads faces with their heatmaps from the tables of named sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import pyarrow.compute as pc

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.storage import Root, TableRef, open_table, read_manifest, read_set
from mien.storage.rows import ImageRow
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.sets.face_rows import FaceOfSet, FaceWithHeatmap
from mien.tasks.sets.row_lookup import look_up


@dataclass(frozen=True)
class FaceTables:
    """The faces of a named set and their heatmap cache, pinned by fingerprint."""

    name: str
    faces: str
    heatmaps: str

    def refs(self, root: Root) -> list[tuple[str, TableRef]]:
        return [
            (f"{self.name}.faces", TableRef(root.url, "faces", self.faces)),
            (f"{self.name}.heatmaps", TableRef(root.url, "heatmaps", self.heatmaps)),
        ]


def face_tables(root: Root, name: str) -> FaceTables:
    """The newest faces and heatmaps of a set.

    Raises:
        UsageError: there is no such set, or it is not one of prepared faces.
    """
    with checking_arguments():
        tables = read_set(root, name).tables
    if "heatmaps" not in tables:
        raise UsageError(f"the set {name!r} holds no prepared faces: run mien prepare with --set {name}")
    return FaceTables(name, tables["faces"], tables["heatmaps"])


def usable_faces(root: Root, sets: Iterable[FaceTables], columns: Sequence[str]) -> list[FaceOfSet]:
    """Rows of the faces with status ok, in the order of the sets and their shards, each with its `set`; each face once.

    A label means a person of its set: two sets may both have a person 01.
    """
    rows: dict[str, FaceOfSet] = {}
    for tables in sets:
        dataset = open_table(root, "faces", tables.faces)
        for row in dataset.to_table(columns=list(columns), filter=pc.field("status") == "ok").to_pylist():
            rows.setdefault(row["face_id"], cast("FaceOfSet", row | {"set": tables.name}))
    return list(rows.values())


def read_faces(
    root: Root, sets: Iterable[FaceTables], face_ids: set[str], columns: Sequence[str]
) -> dict[str, FaceWithHeatmap]:
    """The named faces by id, each with `set` and `heatmap` (uint8, parts × side × side) beside the asked columns.

    A face that several sets have is that of the first one in which it is usable, as `usable_faces` has it. Where a
    face is one set's and must not be another's (the source and the driver of a pair), ask with that set alone.
    """
    found: dict[str, FaceWithHeatmap] = {}
    usable: set[str] = set()
    for tables in sets:
        missing = sorted(face_ids - usable)
        heatmaps = heatmaps_of(root, tables, missing)
        for face_id, part in look_up(root, "faces", tables.faces, "face_id", missing, [*columns, "status"]):
            row = part.to_pylist()[0]
            if row["status"] == "ok":
                usable.add(face_id)
            elif face_id in found:
                continue
            chosen = {column: row[column] for column in columns}
            heatmap = heatmaps.get(face_id)
            face = {"face_id": face_id, "set": tables.name, **chosen, "heatmap": heatmap}
            found[face_id] = cast("FaceWithHeatmap", face)
    return found


def heatmaps_of(root: Root, tables: FaceTables, face_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Heatmaps by face id, each uint8 of shape parts × side × side; those of faces without landmarks are left out."""
    shape = tuple(map(int, open_table(root, "heatmaps", tables.heatmaps).schema.metadata[b"shape"].split(b",")))
    rows = look_up(root, "heatmaps", tables.heatmaps, "face_id", face_ids, ["heatmap"])
    return {
        face_id: np.frombuffer(heatmap, np.uint8).reshape(shape)
        for face_id, row in rows
        if (heatmap := row["heatmap"][0].as_py()) is not None
    }


def photos_of(
    root: Root, sets: Iterable[FaceTables], image_ids: set[str], columns: Sequence[str]
) -> dict[str, ImageRow]:
    """Rows of `images` that the faces of these sets were found in, by image id."""
    found: dict[str, ImageRow] = {}
    for tables in sets:
        about: Any = read_manifest(root, "faces", tables.faces).about
        missing = sorted(image_ids - found.keys())
        rows = look_up(root, "images", about["images"], "image_id", missing, list(columns))
        found |= {image_id: row.to_pylist()[0] for image_id, row in rows}
    return found


def prepare_settings(root: Root, tables: FaceTables) -> dict[str, Any]:
    """The settings that the faces and heatmaps of a set were made with."""
    faces: Any = read_manifest(root, "faces", tables.faces).about
    heatmaps: Any = read_manifest(root, "heatmaps", tables.heatmaps).about
    return {**faces["settings"], "heatmaps": asdict(HeatmapSpec.from_mapping(heatmaps["spec"]))}


def crop_size_px(root: Root, tables: FaceTables) -> int:
    """Side of the crops of a set."""
    return int(prepare_settings(root, tables)["alignment"]["size_px"])


def detector_of(root: Root, tables: FaceTables) -> str:
    """The detector that found the faces of a set."""
    return str(prepare_settings(root, tables)["faces"])


def check_compatible(root: Root, sets: Sequence[FaceTables]) -> None:
    """Sets that are used together must have been aligned and rendered alike.

    Raises:
        UsageError: they were not.
    """
    first = prepare_settings(root, sets[0])
    for other in sets[1:]:
        settings = prepare_settings(root, other)
        unlike = [key for key in ("alignment", "heatmaps", "faces") if settings[key] != first[key]]
        if unlike:
            raise UsageError(
                f"the sets {sets[0].name} and {other.name} were prepared with different {unlike[0]} settings: "
                f"prepare one of them again with those of the other"
            )
