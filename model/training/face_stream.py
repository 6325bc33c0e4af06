"""Faces of a training that are too many for memory: who is on each, and how some of them are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.stream_order import sample_rows

FITTED_FACES = 20_000
"""In memory, that the shape model is fitted to at most."""
SAMPLED_FACES = 5_000
"""That it is fitted to where they have to be read for it: its 36 directions are known long before."""
ReadFaces = Callable[[Int[np.ndarray, " rows"], FaceArrays], None]
"""Writes photos, heatmaps and landmarks of some rows of all faces into as many rows of arrays."""


@dataclass(frozen=True)
class FaceStream:
    """All faces of a training, of which some are in memory at a time. A few bytes each."""

    identities: Int[np.ndarray, " faces"]
    """A number per person."""
    sets: Int[np.ndarray, " faces"]
    """A number per set that the faces come from."""
    read: ReadFaces
    """Called in a thread of its own, for one chunk of faces after the other."""
    shape_model: ShapeModel
    side_px: int
    """Of the photos."""
    spec: HeatmapSpec
    scheme: LandmarkScheme

    def __len__(self) -> int:
        return len(self.identities)

    def room(self, count: int) -> FaceArrays:
        """Memory for so many of them."""
        return FaceArrays.room(count, self.side_px, self.spec, self.scheme)


TrainingFaces = FaceArrays | FaceStream
"""All in memory, or not."""


def fitted_shapes(faces: FaceArrays, seed: int) -> ShapeModel:
    """The shape model of faces, fitted to a sample where they are many.

    Raises:
        ModelError: there are not two people with two photos each.
    """
    sets = np.zeros(len(faces), np.int64) if faces.sets is None else faces.sets
    rows = sample_rows(faces.identities, sets, FITTED_FACES, seed)
    return ShapeModel.fit(faces.points[rows].astype(np.float64), faces.identities[rows])
