"""Columns of rows of `faces` as arrays."""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.images.codec import decode_rgb
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.schemes import LandmarkScheme, to_common
from mien.storage.rows import FaceRow
from mien.tasks.sets.face_rows import FaceWithHeatmap

T = TypeVar("T")


def landmarks_px(row: FaceRow) -> Float[np.ndarray, "points 2"]:
    """The landmarks of a face that has some, in pixels of the crop."""
    return np.asarray(_stored(row["landmarks_xy"]), np.float32).reshape(-1, 2)


def scheme_of(row: FaceRow) -> LandmarkScheme:
    """What the landmarks mean."""
    return cast("LandmarkScheme", _stored(row["landmark_scheme"]))


def common_points(row: FaceRow, crop_size_px: int) -> Float[np.ndarray, "68 2"]:
    """The 68 common landmarks, in [-1, 1] over the crop."""
    return from_px(to_common(landmarks_px(row), scheme_of(row)), crop_size_px)


def embedding_of(row: FaceRow) -> Float[np.ndarray, " d"]:
    """The embedding of the face in its photo."""
    return np.asarray(_stored(row["embedding"]), np.float32)


def crop_of(row: FaceRow) -> UInt8[np.ndarray, "side side 3"]:
    """The pixels of the aligned face."""
    return decode_rgb(_stored(row["crop"]))


def heatmap_of(row: FaceWithHeatmap) -> UInt8[np.ndarray, "parts side side"]:
    """The heatmap of a face that has landmarks."""
    return _stored(row["heatmap"])


def _stored(value: T | None) -> T:
    """A column that a usable face has."""
    assert value is not None
    return value
