"""Measures of a face that say whether it is worth training on."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from model.landmarks import LandmarkScheme, to_common
from model.reference import reference_shape

SHARPNESS_SIDE_PX = 128

_HEAD_DEPTHS = {30: -0.6, 8: -0.09, 36: 0.0, 45: 0.0, 48: -0.17, 54: -0.17}
"""A generic head: the reference face, given depth at the nose tip, chin, outer eye corners and mouth corners. In units
of the distance between the eye centres, away from the camera; proportions of adult anthropometric means."""


class Pose(NamedTuple):
    """Where the head turns, in degrees; all zero is the reference face, straight to the camera."""

    yaw: float
    """Positive towards the picture's right."""
    pitch: float
    """Positive downwards."""
    roll: float
    """Positive clockwise in the picture."""


def sharpness(crop: UInt8[np.ndarray, "side side 3"]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) of the grey crop at 128 px over its contrast.

    One size and the division by the variance of the grey values make crops of different sizes and lighting comparable;
    0 for a crop of one colour.
    """
    side = (SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX)
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), side, interpolation=cv2.INTER_AREA)
    contrast = float(grey.var())
    return float(cv2.Laplacian(grey, cv2.CV_64F).var()) / contrast if contrast > 0 else 0.0


def pose_degrees(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> Pose:
    """Yaw, pitch and roll by fitting a generic head to six landmarks under weak perspective.

    Least squares give the first two rows of scale × rotation; the nearest rotation has the third.
    """
    head, points = _head(), to_common(landmarks_xy, scheme)[list(_HEAD_DEPTHS)].astype(np.float64)
    rows = np.linalg.lstsq(head - head.mean(0), points - points.mean(0), rcond=None)[0].T
    u, _, vt = np.linalg.svd(np.vstack([rows, np.cross(rows[0], rows[1]) / max(np.linalg.norm(rows[0]), 1e-9)]))
    rotation = u @ vt
    # The direction the nose points in, and the turn of the line between the eyes.
    nose = rotation @ np.array([0.0, 0.0, -1.0])
    yaw, pitch = np.arctan2(nose[0], -nose[2]), np.arctan2(nose[1], -nose[2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return Pose(*(float(value) for value in np.degrees([yaw, pitch, roll])))


def _head() -> Float[np.ndarray, "6 3"]:
    """x to the picture's right, y down, z away from the camera."""
    return np.column_stack([reference_shape()[list(_HEAD_DEPTHS)], list(_HEAD_DEPTHS.values())])
