"""Measures of a face that say whether it is worth training on."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mien.model.expression.head_pose import fit_pose, generic_head
from mien.model.landmarks.pose import Pose, pose_of_rotation
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import LandmarkScheme, part_indices, to_common

SHARPNESS_SIDE_PX = 128

_BLACK, _WHITE = 5, 250
_HASH_SIDE = 16
_EYES_AND_LIPS = tuple(
    index for part in ("left_eye", "right_eye", "outer_lips", "inner_lips") for index in part_indices("ibug68")[part]
)

_HEAD_DEPTHS = {30: -0.6, 8: -0.09, 36: 0.0, 45: 0.0, 48: -0.17, 54: -0.17}
"""A generic head: the reference face, given depth at the nose tip, chin, outer eye corners and mouth corners. In units
of the distance between the eye centres, away from the camera; proportions of adult anthropometric means."""


def sharpness(crop: UInt8[np.ndarray, "side side 3"], side_px: int = SHARPNESS_SIDE_PX) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) of the grey crop at a side over its contrast.

    One size and the division by the variance of the grey values make crops of different sizes and lighting comparable;
    0 for a crop of one colour.
    """
    side = (side_px, side_px)
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
    return pose_of_rotation(u @ vt)


def _head() -> Float[np.ndarray, "6 3"]:
    """x to the picture's right, y down, z away from the camera."""
    return np.column_stack([reference_shape()[list(_HEAD_DEPTHS)], list(_HEAD_DEPTHS.values())])


class Exposure(NamedTuple):
    """How the face is lit."""

    brightness: float
    """Mean grey value inside the outline of the landmarks: 0 black, 1 white."""
    clipped: float
    """Share of its pixels that are black (below 6 of 255) or white (above 249): what they showed is lost."""


def exposure(
    crop: UInt8[np.ndarray, "side side 3"], landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme
) -> Exposure:
    """Of the pixels inside the convex hull of the landmarks: a black background says nothing about the face."""
    outline = cv2.convexHull(np.rint(to_common(landmarks_xy, scheme)).astype(np.int32))
    mask = cv2.fillConvexPoly(np.zeros(crop.shape[:2], np.uint8), outline, 1).astype(bool)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[mask]
    if not grey.size:
        return Exposure(0.0, 1.0)
    return Exposure(float(grey.mean() / 255), float(((grey <= _BLACK) | (grey >= _WHITE)).mean()))


def shape_error(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> float:
    """How unlike a face the landmarks are: mean distance to the reference face once the head's pose is taken off, in
    distances between the eye centres.

    Faces and expressions differ by about 0.1; landmarks that have slipped to neck or hair by more.
    """
    points, head = to_common(landmarks_xy, scheme)[None].astype(np.float64), generic_head()[None]
    frontal = fit_pose(head, points).frontal(points, head)
    return float(np.linalg.norm(frontal - head[..., :2], axis=-1).mean())


def outside_share(
    landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme, width_px: int, height_px: int
) -> float:
    """Share of the landmarks of eyes and lips that lie outside a picture of this size."""
    points = to_common(landmarks_xy, scheme)[list(_EYES_AND_LIPS)]
    return float(((points < 0) | (points > [width_px, height_px])).any(1).mean())


def perceptual_hash(crop: UInt8[np.ndarray, "side side 3"]) -> bytes:
    """256 bits of an aligned face that hardly change when the photo is encoded or scaled anew.

    The signs of the 16 × 16 lowest cosines of the grey crop at 64 px against their median (pHash, Zauner 2010, with
    four times its bits: faces of one person, aligned alike, are nearly alike).
    """
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA)
    cosines = cv2.dct(grey.astype(np.float32))[:_HASH_SIDE, :_HASH_SIDE].ravel()
    return np.packbits(cosines > np.median(cosines)).tobytes()
