"""Alignment: the similarity transform that takes a face onto the reference face, by least squares (claim 2).

Transforms are 2 × 3 matrices that take column vectors (x, y, 1), in the coordinates of `model/landmarks/schemes.py`.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Matrix = Float[np.ndarray, "2 3"]

_BESIDE = 3
"""Averages beside those that are shown, for sampling between them."""


def similarity_transform(points: Float[np.ndarray, "n 2"], onto: Float[np.ndarray, "n 2"]) -> Matrix:
    """Rotation θ, scale s and shift t that minimise Σ‖onto − (s·R(θ)·points + t)‖²: the closed form of Umeyama (1991).

    Raises:
        ValueError: all points are one, so no scale is defined.
    """
    source, target = points.astype(np.float64), onto.astype(np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    source_centred, target_centred = source - source_mean, target - target_mean
    variance = (source_centred**2).sum() / len(source)
    if variance == 0:
        raise ValueError("all points are one: they define no scale")
    u, singular, vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    # A face is never mirrored: where the best orthogonal matrix is a reflection, take the best rotation.
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = (singular * signs).sum() / variance
    linear = scale * rotation
    return np.column_stack([linear, target_mean - linear @ source_mean])


def apply_transform(matrix: Matrix, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """The points where the transform takes them."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert_transform(matrix: Matrix) -> Matrix:
    """The transform that takes back."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def warp(image: UInt8[np.ndarray, "h w *c"], matrix: Matrix, size_px: int) -> UInt8[np.ndarray, "s s *c"]:
    """The transformed image, in colour or grey, size_px square; what lies outside the image repeats its border.

    A face that shrinks is averaged first: bilinear sampling alone would skip pixels, which shows as jagged lashes and
    teeth.
    """
    shrink = int(1 / max(np.sqrt(abs(np.linalg.det(matrix[:, :2]))), 1e-6))
    if shrink > 1:
        image, matrix = _averaged(image, matrix, size_px, shrink)
    how = cv2.INTER_CUBIC if np.linalg.det(matrix[:, :2]) > 1 else cv2.INTER_LINEAR
    size = (size_px, size_px)
    return cv2.warpAffine(image, by_centres(matrix), size, flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def _averaged(
    image: UInt8[np.ndarray, "h w *c"], matrix: Matrix, size_px: int, shrink: int
) -> tuple[UInt8[np.ndarray, "h2 w2 *c"], Matrix]:
    """What the transform shows of the image, in averages of shrink × shrink pixels, and the transform of these.

    Only that part: averaging the whole of a photo of 12 megapixels takes longer than finding a face in it.
    """
    shown = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * size_px
    corners = apply_transform(invert_transform(matrix), shown)
    spans: list[tuple[int, int, int]] = []
    for axis, side in ((1, image.shape[0]), (0, image.shape[1])):
        first, last = corners[:, axis].min() // shrink - _BESIDE, corners[:, axis].max() // shrink + 1 + _BESIDE
        begin = int(np.clip(first * shrink, 0, (side - 1) // shrink * shrink))
        end = int(np.clip(last * shrink, begin + shrink, -(-side // shrink) * shrink))
        spans.append((begin, min(end, side), max(end - side, 0)))
    (top, bottom, below), (left, right, beyond) = spans
    part = cv2.copyMakeBorder(image[top:bottom, left:right], 0, below, 0, beyond, cv2.BORDER_REPLICATE)
    size = (part.shape[1] // shrink, part.shape[0] // shrink)
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    of_part = np.array([[shrink, 0, left], [0, shrink, top], [0, 0, 1.0]])
    return small, matrix @ of_part


def by_centres(matrix: Matrix) -> Matrix:
    """The transform for cv2, which counts from the centre of the first pixel, half a pixel off on both sides."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved


def bordered(image: UInt8[np.ndarray, "h w 3"], border_px: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The image with its outermost pixels repeated on all sides: detectors need room around a face."""
    return cv2.copyMakeBorder(image, border_px, border_px, border_px, border_px, cv2.BORDER_REPLICATE).astype(np.uint8)
