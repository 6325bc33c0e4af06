"""Neutral faces of the people of a job, as content of the root: `{root}/neutrals/{fingerprint}.npz`.

They are found once per job, from all usable photos of each person in a set; an unlabelled photo is a person of its
own. Workers read them from there. A set's people are its own: the same label in another set is another person, and one
face has a neutral in each set that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from mien.model.expression.retargeting import RetargetSettings, check_retargeting, neutrals_by_person
from mien.model.expression.shape_model import ShapeModel
from mien.storage import Root, fingerprint, open_table, source_digest
from mien.storage.artefacts import NEUTRALS, load_or_make, npz_artefact, read
from mien.storage.rows import FaceRow
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.weights import load_model
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.faces import FaceTables, crop_size_px

CODE = source_digest(__name__)


FaceKey = tuple[str, str]
"""The name of a set, and the id of a face in it."""


@dataclass(frozen=True)
class Neutrals:
    """For each face of each set the neutral of its person."""

    rows: dict[FaceKey, int]
    """In which of the shapes."""
    shapes: np.ndarray
    """People × 68 × 2, in [-1, 1] over the crop."""

    def of(self, faces: Sequence[FaceKey]) -> np.ndarray:
        """Faces × 68 × 2."""
        return self.shapes[[self.rows[face] for face in faces]]


def _as_arrays(neutrals: Neutrals) -> dict[str, np.ndarray]:
    sets, ids = (np.array([face[part] for face in neutrals.rows], "S") for part in (0, 1))
    rows = np.array(list(neutrals.rows.values()), np.int64)
    return {"sets": sets, "face_ids": ids, "rows": rows, "shapes": neutrals.shapes}


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> Neutrals:
    sets, ids, rows, shapes = (arrays[name] for name in ("sets", "face_ids", "rows", "shapes"))
    fits = sets.shape == ids.shape == rows.shape and ((rows >= 0) & (rows < len(shapes))).all()
    if shapes.shape[1:] != (68, 2) or not fits:
        raise ValueError("arrays that do not go together")
    named = zip(sets.tolist(), ids.tolist(), rows.tolist(), strict=True)
    return Neutrals({(name.decode(), face_id.decode()): row for name, face_id, row in named}, shapes)


_NEUTRALS = npz_artefact(NEUTRALS, _as_arrays, _from_arrays)


def keep_neutrals(
    root: Root, sets: Sequence[FaceTables], generator_sha256: str, retargeting: RetargetSettings
) -> str | None:
    """Finds the neutrals of these sets' people, with the generator's shape model if it has one.

    Returns their fingerprint, None where nothing is to be retargeted.

    Raises:
        UsageError: the generator has no shape model, and retargeting is to be by it.
    """
    if retargeting.kind == "none":
        return None
    generator = load_model(root, generator_sha256)
    with checking_arguments():
        check_retargeting(retargeting, generator.shape_model)
    sets = list(dict.fromkeys(sets))  # people and drivers may come from one
    faces = [[tables.name, tables.faces] for tables in sets]
    name = fingerprint({"code": CODE, "faces": faces, "shape_model": generator.shape_model_sha256})
    load_or_make(root, _NEUTRALS, name, lambda: _find(root, sets, generator.shape_model))
    return name


def _find(root: Root, sets: Sequence[FaceTables], shape_model: ShapeModel | None) -> Neutrals:
    rows: dict[FaceKey, int] = {}
    shapes: list[np.ndarray] = []
    for tables in sets:
        face_ids, points, people = _people(root, tables)
        first = sum(map(len, shapes))
        rows |= {(tables.name, face): first + int(person) for face, person in zip(face_ids, people, strict=True)}
        if face_ids:
            shapes.append(neutrals_by_person(points, people, shape_model))
    return Neutrals(rows, np.concatenate([np.zeros((0, 68, 2)), *shapes]))


@lru_cache(maxsize=2)
def load_neutrals(root: Root, name: str) -> Neutrals:
    """What `keep_neutrals` found, read once per process.

    Raises:
        StorageError: it is gone or damaged.
    """
    return read(root, _NEUTRALS, name)


def _people(root: Root, tables: FaceTables) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Face ids, points and numbers of the people of a set, in an order that the rows' order does not change."""
    side_px = crop_size_px(root, tables)
    faces: list[tuple[tuple[bool, str], str, np.ndarray]] = []
    for row in _face_rows(root, tables):
        person = (row["identity"] is None, row["identity"] or row["image_id"])
        faces.append((person, row["face_id"], common_points(row, side_px)))
    faces.sort(key=lambda face: face[:2])
    numbers = {person: number for number, person in enumerate(dict.fromkeys(person for person, _, _ in faces))}
    people = np.array([numbers[person] for person, _, _ in faces], np.int64)
    points = np.array([points for _, _, points in faces], np.float64).reshape(-1, 68, 2)
    return [face_id for _, face_id, _ in faces], points, people


def _face_rows(root: Root, tables: FaceTables) -> Iterator[FaceRow]:
    """In batches: the landmarks of many faces as Python numbers take much memory."""
    columns = ["face_id", "image_id", "identity", "landmarks_xy", "landmark_scheme"]
    usable = open_table(root, "faces", tables.faces).scanner(columns=columns, filter=pc.field("status") == "ok")
    for batch in usable.to_batches():
        yield from batch.to_pylist()
