"""Faces that are too many for memory, for tests: each photo is of one colour, which says which face it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.face_stream import FaceStream

SIDE_PX = 64
SPEC = HeatmapSpec(size_px=8)


def numbered_faces(photos: Sequence[int], sets: Sequence[int] | None = None) -> FaceArrays:
    """So many photos of each person, all in memory; `sets` has the set of each person."""
    random, identities = np.random.default_rng(0), np.repeat(np.arange(len(photos)), photos)
    faces = FaceArrays.room(len(identities), SIDE_PX, SPEC, "ibug68")
    calm = reference_landmarks(AlignmentSettings(size_px=SIDE_PX)) / SIDE_PX * 2 - 1
    faces.points[:] = calm + random.normal(0, 0.02, faces.points.shape)
    numbers = np.arange(len(identities))
    faces.images[:] = np.stack([numbers % 256, numbers // 256, np.zeros_like(numbers)], 1)[:, :, None, None]
    faces.heatmaps[:] = (numbers % 256)[:, None, None, None]
    of_sets = np.zeros(len(identities), np.int64) if sets is None else np.asarray(sets)[identities]
    return faces.showing(identities, of_sets)


def numbers_of(photos: torch.Tensor) -> list[int]:
    """Which faces are on photos in [-1, 1]."""
    colours = ((photos.mean((-1, -2)) + 1) * 127.5).round().long()
    return (colours[..., 0] + 256 * colours[..., 1]).flatten().tolist()


class Reader:
    """Copies faces from memory, and notes which."""

    def __init__(self, faces: FaceArrays) -> None:
        self.faces, self.read = faces, list[int]()

    def __call__(self, rows: np.ndarray, into: FaceArrays) -> None:
        self.read += rows.tolist()
        for name in ("images", "heatmaps", "points"):
            getattr(into, name)[:] = getattr(self.faces, name)[rows]

    def stream(self) -> FaceStream:
        """All of the faces, read by this reader."""
        faces = self.faces
        assert faces.sets is not None
        shapes = ShapeModel.fit(faces.points[:60].astype(np.float64), faces.identities[:60])
        return FaceStream(faces.identities, faces.sets, self, shapes, SIDE_PX, SPEC, "ibug68")
