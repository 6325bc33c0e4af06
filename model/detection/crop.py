"""A found face, aligned onto the reference face."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.detector import FoundFace
from mien.model.landmarks.alignment import apply_transform, similarity_transform, warp
from mien.model.landmarks.reference import AlignmentSettings, reference_five_points
from mien.model.landmarks.schemes import five_points


class AlignedFace(NamedTuple):
    """An aligned face."""

    crop: UInt8[np.ndarray, "size size 3"]
    landmarks_xy: Float32[np.ndarray, "points 2"]
    """In crop pixels."""
    source_to_crop: Float[np.ndarray, "2 3"]


def align_face(image: UInt8[np.ndarray, "h w 3"], found: FoundFace, settings: AlignmentSettings) -> AlignedFace:
    """The face by the similarity transform that takes its five points nearest to those of the reference face."""
    matrix = similarity_transform(five_points(found.landmarks_xy, found.scheme), reference_five_points(settings))
    landmarks = apply_transform(matrix, found.landmarks_xy.astype(np.float64)).astype(np.float32)
    return AlignedFace(warp(image, matrix, settings.size_px), landmarks, matrix)
