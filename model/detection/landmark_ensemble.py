"""Landmarks from several windows: what one look at a face gets wrong, the next ones outvote.

A predictor such as dlib's (Kazemi and Sullivan 2014) starts from a mean face in a box, so its result hangs on how the
box frames the face. Below a broad face, or over a dark collar, a box that is a little large takes the neck for the jaw
and the chin for the lower lip, and all looks at that box agree; a small box loses the chin of a wide open mouth.
So the second round frames the face by the points of the first in three ways, from `_FRAMES`. Each window is looked at
as it is and mirrored, and each point is the median of all looks of that round: one frame that is wrong is outvoted. How
far the looks are apart tells how far the result can be trusted. docs/decisions/0009 has what was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.landmarks.alignment import Matrix, apply_transform, invert_transform, similarity_transform, warp
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import interocular_px, mirror_indices

Image = UInt8[np.ndarray, "_ _ *channels"]
"""In colour or grey, as the predictor takes it."""
Predict = Callable[[Image, tuple[int, int, int, int]], Float[np.ndarray, "68 2"]]
"""The 68 landmarks in a window whose face is in the given box (left, top, right, bottom)."""

WINDOW_PX = 400
BOX_PX = 250
"""Side of the predictor's box in the middle of the window. dlib gives whole pixels: the window makes them fine ones."""
_MARGIN_PX = (WINDOW_PX - BOX_PX) // 2
_BOX = (_MARGIN_PX, _MARGIN_PX, WINDOW_PX - _MARGIN_PX, WINDOW_PX - _MARGIN_PX)

_REFERENCE_SIDE = 0.416
_REFERENCE_ORIGIN = (0.5, 0.317)
"""The reference face in the box of dlib's detector, as shares of its side: the distance between the eye centres and the
point midway between them; means over hand-marked faces (Helen, AFW), centred."""


class _Frame(NamedTuple):
    """How a window departs from the one that puts the face where the predictor expects it."""

    scale: float
    """Above 1 the face is larger in the box."""
    down: float
    """Of the face in the box, as a share of the box's side."""


_FRAMES = (_Frame(1.0, 0.0), _Frame(1.15, 0.0), _Frame(1.1, 0.04))


class Landmarks(NamedTuple):
    """Landmarks with the scatter of the looks that they are the median of."""

    points_xy: Float32[np.ndarray, "68 2"]
    """In pixels of the picture."""
    scatter: float
    """Mean distance of the looks' points from their median, as a share of the inter-ocular distance."""


def window_of_box(box: tuple[float, float, float, float]) -> Matrix:
    """Into the window that frames a face by a box like those of dlib's detector."""
    corners = np.array(box, np.float64).reshape(2, 2)
    scale = BOX_PX / max(box[2] - box[0], 1.0)
    return np.column_stack([np.eye(2) * scale, WINDOW_PX / 2 - scale * corners.mean(0)])


def window_of_points(points: Float[np.ndarray, "n 2"], in_box: Float[np.ndarray, "n 2"]) -> Matrix:
    """Into the upright window that puts points where they are in dlib's box, given as shares of its sides."""
    return similarity_transform(points, in_box * BOX_PX + _MARGIN_PX)


def landmarks_in_windows(image: Image, first: Matrix, predict: Predict) -> Landmarks:
    """The landmarks of the face that the first window frames."""
    rough = np.median(_looks(image, first, predict), axis=0)
    window = window_of_points(rough, reference_shape() * _REFERENCE_SIDE + _REFERENCE_ORIGIN)
    looks = np.concatenate([_looks(image, _framed(window, frame), predict) for frame in _FRAMES])
    points = np.median(looks, axis=0).astype(np.float32)
    apart = np.linalg.norm(looks - points, axis=-1).mean()
    return Landmarks(points, float(apart / max(interocular_px(points, "ibug68"), 1e-6)))


def _framed(window: Matrix, frame: _Frame) -> Matrix:
    """The window with its content scaled about its middle, and moved."""
    scaled = window * frame.scale
    scaled[:, 2] += WINDOW_PX / 2 * (1 - frame.scale)
    scaled[1, 2] += frame.down * BOX_PX
    return scaled


def _looks(image: Image, window: Matrix, predict: Predict) -> Float[np.ndarray, "looks 68 2"]:
    """What the predictor says of a window, as it is and mirrored, in pixels of the picture."""
    back, pixels = invert_transform(window), warp(image, window, WINDOW_PX)
    mirrored = predict(np.ascontiguousarray(pixels[:, ::-1]), _BOX)[list(mirror_indices())]
    unmirrored = mirrored * [-1, 1] + [WINDOW_PX, 0]
    return np.stack([apply_transform(back, points) for points in (predict(pixels, _BOX), unmirrored)])
