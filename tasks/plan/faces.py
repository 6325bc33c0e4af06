"""What planning reads of a set: its usable faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.model.detection.load import load_detector
from mien.model.expression.common_face import on_common_face
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.schemes import to_common
from mien.model.plan_faces import photo_numbers
from mien.model.source_choice import FaceLooks, FaceShapes, look_similarity
from mien.storage import Root, open_table
from mien.tasks.sets.consent import known_consents, refusal
from mien.tasks.sets.faces import FaceTables, crop_size_px, detector_of

PlanFaceIds = tuple[np.ndarray, np.ndarray]
"""Ids (UTF-8 bytes) of the sources and of the drivers of a plan."""


@dataclass(frozen=True)
class UsableFaces:
    """The usable faces of a set, column by column; strings that are alike are one object."""

    face_ids: np.ndarray
    """UTF-8 bytes."""
    people: list[str]
    """Labels; the image of a face without one, so that each unlabelled image counts as a person."""
    expressions: list[str | None]
    poses: np.ndarray
    """Faces × 3, NaN where not known."""
    image_ids: np.ndarray
    """UTF-8 bytes."""


def read_usable(root: Root, tables: FaceTables, splits: Sequence[str]) -> UsableFaces:
    """Those of a set, or of some of its splits; none gives all."""
    chosen = pc.field("status") == "ok"
    if splits:
        chosen = chosen & pc.field("split").isin(list(splits))
    names = ["face_id", "image_id", "identity", "expression", "pose"]
    table = open_table(root, "faces", tables.faces).to_table(columns=names, filter=chosen)
    people = _shared(pc.call_function("coalesce", [table["identity"], table["image_id"]]))
    poses = [pc.call_function("list_element", [table["pose"], pa.scalar(axis)]).to_numpy() for axis in range(3)]
    return UsableFaces(
        np.array(table["face_id"].cast(pa.binary()).to_numpy(), np.bytes_),
        [str(person) for person in people],
        _shared(table["expression"]),
        np.column_stack(poses).astype(np.float64),
        np.array(table["image_id"].cast(pa.binary()).to_numpy(), np.bytes_),
    )


def consenting(
    root: Root, tables: FaceTables, others: FaceTables, faces: UsableFaces, required: bool
) -> np.ndarray | None:
    """Which faces of a set a pair with `others` may have as further sources, as far as consent decides it: for each
    whether it may; None where all may."""
    refused = [
        image_id.encode()
        for (name, image_id), consent in known_consents(root, tuple(dict.fromkeys((tables, others)))).items()
        if name == tables.name and refusal(consent, "a", required) is not None
    ]
    return ~np.isin(faces.image_ids, np.array(refused, np.bytes_)) if refused else None


def photos_of(faces: UsableFaces) -> np.ndarray:
    """A number for the photo of each face."""
    return photo_numbers(faces.image_ids)


def usable_points(root: Root, tables: FaceTables) -> np.ndarray:
    """The 68 landmarks of the usable faces (faces × 68 × 2, in [-1, 1] over the crop), in the order of the rows."""
    side_px = crop_size_px(root, tables)
    columns = ["landmarks_xy", "landmark_scheme"]
    scanner = open_table(root, "faces", tables.faces).scanner(columns=columns, filter=pc.field("status") == "ok")
    parts: list[np.ndarray] = [np.zeros((0, 68, 2), np.float32)]
    for batch in scanner.to_batches():
        schemes = set(batch["landmark_scheme"].to_pylist())
        flat = batch["landmarks_xy"].flatten().to_numpy()
        for scheme in schemes:  # a set has one: that of its detector
            points = to_common(flat.reshape(batch.num_rows, -1, 2), scheme)
            parts.append(from_px(points, side_px).astype(np.float32))
    return np.concatenate(parts)


def face_shapes(root: Root, identities: FaceTables, expressions: FaceTables, planned: PlanFaceIds) -> FaceShapes:
    """What sources show and drivers ask for, on one common face."""
    asked = _on_common_face(root, expressions)
    shown = asked if identities == expressions else _on_common_face(root, identities)
    sources, drivers = planned
    return FaceShapes(
        shown.values[np.searchsorted(shown.face_ids, sources)], asked.values[np.searchsorted(asked.face_ids, drivers)]
    )


def face_looks(root: Root, tables: FaceTables, face_ids: np.ndarray, least: float | None) -> FaceLooks:
    """How usable faces look (ids as UTF-8 bytes), by the embedding of the set's detector; `least` as
    `PlanningSettings.look_similarity`."""
    detector = load_detector(detector_of(root, tables))
    enough = look_similarity(detector.group_similarity) if least is None else least
    scanner = open_table(root, "faces", tables.faces).scanner(
        columns=["face_id", "embedding"], filter=pc.field("status") == "ok"
    )
    ids, embeddings = [np.zeros(0, np.bytes_)], list[np.ndarray]()
    for batch in scanner.to_batches():
        if batch.num_rows:
            ids.append(np.array(batch["face_id"].cast(pa.binary()).to_numpy(zero_copy_only=False), np.bytes_))
            flat = batch["embedding"].flatten().to_numpy()
            embeddings.append(flat.reshape(batch.num_rows, -1).astype(np.float16))
    if not embeddings:
        return FaceLooks(np.zeros((0, 1), np.float16), detector.similarity, enough)
    known, rows = np.unique(np.concatenate(ids), return_index=True)
    return FaceLooks(np.concatenate(embeddings)[rows[np.searchsorted(known, face_ids)]], detector.similarity, enough)


class _OnCommonFace(NamedTuple):
    face_ids: np.ndarray
    """Sorted, each once."""
    values: np.ndarray


def _on_common_face(root: Root, tables: FaceTables) -> _OnCommonFace:
    """All usable faces of a set: a person's neutral does not follow from those that are planned."""
    usable, points = read_usable(root, tables, ()), usable_points(root, tables)
    face_ids, rows = np.unique(usable.face_ids, return_index=True)
    people = np.unique(np.array(usable.people, np.str_), return_inverse=True)[1]
    return _OnCommonFace(face_ids, on_common_face(points[rows], people[rows]))


def _shared(column: pa.ChunkedArray) -> list[str | None]:
    encoded = column.combine_chunks().dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    return [names[number] for number in encoded.indices.fill_null(-1).to_pylist()]
