"""The faces of prepared sets as a training reads them: arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.model.evaluation.pairs import thinned
from mien.model.images.codec import resize_rgb
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.schemes import PARTS, LandmarkScheme
from mien.model.training.batches import FaceArrays
from mien.model.training.settings import TrainSettings
from mien.model.warping.composition import FINEST
from mien.storage import Root
from mien.storage.rows import FaceRow
from mien.tasks.errors import UsageError
from mien.tasks.sets.face_columns import common_points, crop_of, heatmap_of, landmarks_px, scheme_of
from mien.tasks.sets.faces import FaceTables, crop_size_px, prepare_settings, read_faces
from mien.tasks.train.people import split_rows

MAX_VALIDATION_FACES = 400


def picture_px(settings: TrainSettings, crop_px: int) -> int:
    """Side of the photos that a training compares its results with: that of the crops, and at most twice that of the
    network for kinds that put their images together at any size."""
    size_px = settings.generator.size_px
    return min(crop_px, FINEST * size_px) if settings.generator.kind == "motion" else size_px


def load_faces(root: Root, sets: Sequence[FaceTables], split: str, size_px: int) -> FaceArrays:
    """The usable faces of a split, their photos of a side of `size_px`, in the order of the tables."""
    rows = split_rows(root, sets, split)
    names = [(row["set"], row["identity"]) for row in rows]
    people = {name: number for number, name in enumerate(sorted(set(names)))}
    if split != "train":
        kept = thinned(np.array([people[name] for name in names], np.int64), MAX_VALIDATION_FACES).tolist()
        rows, names = [rows[n] for n in kept], [names[n] for n in kept]
        people = {name: number for number, name in enumerate(sorted(set(names)))}
    numbers = {tables.name: number for number, tables in enumerate(sets)}
    faces = read_faces(root, sets, {row["face_id"] for row in rows}, ["crop", "landmarks_xy", "landmark_scheme"])
    found = [faces[row["face_id"]] for row in rows]
    crop_px = crop_size_px(root, sets[0])
    spec, scheme = HeatmapSpec(**prepare_settings(root, sets[0])["heatmaps"]), _one_scheme(found)
    side = (size_px, size_px)
    return FaceArrays(
        images=_stack([resize_rgb(crop_of(face), size_px).transpose(2, 0, 1) for face in found], (3, *side)),
        heatmaps=_stack([heatmap_of(face) for face in found], (len(PARTS), 1, 1)),
        points=_stack([common_points(face, crop_px) for face in found], (68, 2)).astype(np.float32),
        identities=np.array([people[name] for name in names], np.int64),
        sets=np.array([numbers[row["set"]] for row in rows], np.int64),
        spec=spec,
        scheme=scheme,
        dense=None if scheme == "ibug68" else _stack([from_px(landmarks_px(face), crop_px) for face in found], (1, 2)),
    )


def _one_scheme(faces: Sequence[FaceRow]) -> LandmarkScheme:
    schemes: list[LandmarkScheme] = list(dict.fromkeys(scheme_of(face) for face in faces))
    if len(schemes) > 1:
        raise UsageError(
            f"the faces have landmarks of several schemes ({', '.join(schemes)}): prepare all sets with one detector"
        )
    return schemes[0] if schemes else "ibug68"


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(arrays) if arrays else np.zeros((0, *shape), np.uint8)
