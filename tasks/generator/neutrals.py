"""Neutral faces of the people of a job, as content of the root: `{root}/neutrals/{fingerprint}.npz`.

They are found once per job, from all usable photos of each person in a set; an unlabelled photo is a person of its
own. Workers read them from there. A set's people are its own: the same label in another set is another person, and one
face has a neutral in each set that it is in.

A job over a set that was generated before takes over the neutrals of its last job, so that one new photo of a person
does not change all faces of this person. A neutral is found anew when one of the photos that it was found from is gone
or has other landmarks, and when the person has twice as many photos as then.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyarrow.compute as pc

from mien.model.expression.retargeting import (
    RetargetSettings,
    check_retargeting,
    neutrals_by_person,
    neutrals_of_single_photos,
)
from mien.model.expression.shape_model import ShapeModel
from mien.storage import Root, fingerprint, open_table, source_digest
from mien.storage.artefacts import NEUTRALS, load, load_or_make, npz_artefact, read
from mien.storage.rows import FaceRow
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.weights import load_model
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import FaceTables, crop_size_px

CODE = source_digest(__name__)
MIN_POPULATION = 8
"""People of a set whose mean tells what one of them looks like at rest, where the generator has no shape model."""


FaceKey = tuple[str, str]
"""The name of a set, and the id of a face in it."""


@dataclass(frozen=True)
class Neutrals:
    """For each face of each set the neutral of its person."""

    rows: dict[FaceKey, int]
    """In which of the shapes."""
    shapes: np.ndarray
    """People × 68 × 2, in [-1, 1] over the crop."""
    as_drivers: np.ndarray
    """The same, with other estimates of those who are known by one photo: as sources they keep their face shape, as
    drivers their expression (`neutrals_of_single_photos`)."""
    fitted: dict[FaceKey, int]
    """The faces that the shapes were found from, each with the hash of its points."""
    shape_model: str
    """SHA-256 of the shape model that took part; empty without one."""

    def of(self, faces: Sequence[FaceKey]) -> np.ndarray:
        """Faces × 68 × 2."""
        return self.shapes[[self.rows[face] for face in faces]]

    def of_drivers(self, faces: Sequence[FaceKey]) -> np.ndarray:
        """Faces × 68 × 2."""
        return self.as_drivers[[self.rows[face] for face in faces]]

    def photos(self, face: FaceKey) -> int:
        """From how many photos the neutral of the face's person was found."""
        return self._photos[self.rows[face]]

    @cached_property
    def _photos(self) -> Counter[int]:
        return Counter(self.rows[face] for face in self.fitted)


def _as_arrays(neutrals: Neutrals) -> dict[str, np.ndarray]:
    sets, ids = (np.array([face[part] for face in neutrals.rows], "S") for part in (0, 1))
    rows = np.array(list(neutrals.rows.values()), np.int64)
    fitted = np.array([face in neutrals.fitted for face in neutrals.rows], np.bool_)
    hashes = np.array([neutrals.fitted.get(face, 0) for face in neutrals.rows], np.uint64)
    of_faces = {"sets": sets, "face_ids": ids, "rows": rows, "fitted": fitted, "hashes": hashes}
    shapes = np.stack([neutrals.shapes, neutrals.as_drivers], axis=1)  # people × 2 × 68 × 2
    return of_faces | {"shapes": shapes, "shape_model": np.array(neutrals.shape_model, "S64")}


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> Neutrals:
    sets, ids, rows, fitted, hashes = (arrays[name] for name in ("sets", "face_ids", "rows", "fitted", "hashes"))
    shapes, shape_model = arrays["shapes"], arrays["shape_model"]
    if shapes.shape[1:] == (68, 2):  # of a version that had one estimate for both
        shapes = np.stack([shapes, shapes], axis=1)
    fits = sets.shape == ids.shape == rows.shape == fitted.shape == hashes.shape
    if shapes.shape[1:] != (2, 68, 2) or not fits or not ((rows >= 0) & (rows < len(shapes))).all():
        raise ValueError("arrays that do not go together")
    faces = [(name.decode(), face_id.decode()) for name, face_id in zip(sets.tolist(), ids.tolist(), strict=True)]
    return Neutrals(
        dict(zip(faces, rows.tolist(), strict=True)),
        np.ascontiguousarray(shapes[:, 0]),
        np.ascontiguousarray(shapes[:, 1]),
        {face: number for face, was, number in zip(faces, fitted.tolist(), hashes.tolist(), strict=True) if was},
        shape_model.item().decode(),
    )


_NEUTRALS = npz_artefact(NEUTRALS, _as_arrays, _from_arrays)


@dataclass(frozen=True)
class FormerNeutrals:
    """Those that the last job over a generated set used."""

    name: str
    sets: tuple[FaceTables, ...]


def keep_neutrals(
    root: Root,
    sets: Sequence[FaceTables],
    generator_sha256: str,
    retargeting: RetargetSettings,
    former: FormerNeutrals | None = None,
) -> str | None:
    """Finds the neutrals of these sets' people, with the generator's shape model if it has one.

    Returns their fingerprint, None where nothing is to be retargeted. What `former` has is taken over.

    Raises:
        UsageError: the generator has no shape model, and retargeting is to be by it.
    """
    if retargeting.kind == "none":
        return None
    generator = load_model(root, generator_sha256)
    with checking_arguments():
        check_retargeting(retargeting, generator.shape_model)
    sets = list(dict.fromkeys(sets))  # people and drivers may come from one
    faces, shape_model = _faces_of(sets), generator.shape_model_sha256 or ""
    known = None if former is None else _usable_former(root, former, shape_model)
    if former is not None and known is not None and _faces_of(former.sets) == faces:
        return former.name
    decides = {"code": CODE, "faces": faces, "shape_model": shape_model}
    name = fingerprint(decides if former is None or known is None else decides | {"former": former.name})
    load_or_make(root, _NEUTRALS, name, lambda: _find(root, sets, generator.shape_model, shape_model, known))
    return name


def _faces_of(sets: Sequence[FaceTables]) -> list[list[str]]:
    return [[tables.name, tables.faces] for tables in sets]


def _usable_former(root: Root, former: FormerNeutrals, shape_model: str) -> Neutrals | None:
    """None where they are gone, damaged, or of another shape model."""
    found = load(root, _NEUTRALS, former.name)
    return found if found is not None and found.shape_model == shape_model else None


def _find(
    root: Root, sets: Sequence[FaceTables], model: ShapeModel | None, model_sha256: str, former: Neutrals | None
) -> Neutrals:
    rows: dict[FaceKey, int] = {}
    fitted: dict[FaceKey, int] = {}
    shapes: list[np.ndarray] = []
    as_drivers: list[np.ndarray] = []
    for tables in sets:
        found = _of_set(tables.name, *_people(root, tables), model, former)
        rows |= {face: sum(map(len, shapes)) + row for face, row in found.rows.items()}
        fitted |= found.fitted
        shapes.append(found.shapes)
        as_drivers.append(found.as_drivers)
    nobody = np.zeros((0, 68, 2))
    return Neutrals(
        rows, np.concatenate([nobody, *shapes]), np.concatenate([nobody, *as_drivers]), fitted, model_sha256
    )


def _of_set(
    name: str,
    face_ids: Sequence[str],
    points: np.ndarray,
    people: np.ndarray,
    model: ShapeModel | None,
    former: Neutrals | None,
) -> Neutrals:
    faces, hashes = [(name, face_id) for face_id in face_ids], _hashes(points)
    rows = dict(zip(faces, people.tolist(), strict=True))
    shapes, fitted = np.zeros((len(set(rows.values())), 68, 2)), dict[FaceKey, int]()
    as_drivers = shapes.copy()
    stays = {} if former is None else _still_right(former, rows, dict(zip(faces, hashes, strict=True)))
    if former is not None:
        shapes[list(stays)] = former.shapes[list(stays.values())]
        as_drivers[list(stays)] = former.as_drivers[list(stays.values())]
        fitted = {
            face: number for face, number in former.fitted.items() if stays.get(rows.get(face, -1)) == former.rows[face]
        }
    new = ~np.isin(people, list(stays))
    if new.any():
        numbers, own = np.unique(people[new], return_inverse=True)
        shapes[numbers] = as_drivers[numbers] = neutrals_by_person(points[new], own, model)
        single = new & (np.bincount(people)[people] == 1)
        if single.any():
            population = shapes.mean(0) if len(shapes) >= MIN_POPULATION else None
            as_drivers[people[single]] = neutrals_of_single_photos(points[single], model, population)
        fitted |= {faces[index]: hashes[index] for index in np.flatnonzero(new).tolist()}
    return Neutrals(rows, shapes, as_drivers, fitted, "")


def _hashes(points: np.ndarray) -> list[int]:
    """A number for the points of each face (8 bytes of their SHA-256)."""
    return [int.from_bytes(hashlib.sha256(face.tobytes()).digest()[:8], "big") for face in points]


def _still_right(former: Neutrals, rows: Mapping[FaceKey, int], hashes: Mapping[FaceKey, int]) -> dict[int, int]:
    """Row of the former shapes for each person whose neutral stays."""
    fitted_by: dict[int, list[FaceKey]] = {}
    for face in former.fitted:
        fitted_by.setdefault(former.rows[face], []).append(face)
    photos = Counter(rows.values())
    stays: dict[int, int] = {}
    for row, faces in fitted_by.items():
        people = {rows.get(face) for face in faces}
        person = people.pop() if len(people) == 1 else None
        as_then = all(hashes.get(face) == former.fitted[face] for face in faces)
        if person is None or not as_then or photos[person] >= 2 * len(faces):
            continue
        if person in stays and len(fitted_by[stays[person]]) >= len(faces):
            continue  # two labels have become one person
        stays[person] = row
    return stays


@lru_cache(maxsize=2)
def load_neutrals(root: Root, name: str) -> Neutrals:
    """What `keep_neutrals` found, read once per process.

    Raises:
        StorageError: it is gone or damaged.
    """
    return read(root, _NEUTRALS, name)


def neutral_photos(root: Root, name: str | None, face: FaceWithHeatmap) -> int | None:
    """From how many photos the neutral of a face's person was found; None without neutrals."""
    key = (face["set"], face["face_id"])
    known = None if name is None else load_neutrals(root, name)
    return known.photos(key) if known is not None and key in known.rows else None


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
