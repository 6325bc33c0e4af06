"""dlib's face chip, the input of dlib's embedding: where it lies on a face, and how it is cut out of a picture.

dlib's `get_face_chip` (dlib/image_transforms/interpolation.h, `get_face_chip_details`; Boost licence) takes the
similarity transform from a mean face to the landmarks that expressions move least and samples the image there. dlib
counts positions of the mean face from the corner of the chip's pixels and landmarks from the centre of the image's
pixels, and turns both about the chip's centre; counted from the corner on both sides, as everywhere in this project,
that is one plain transform. Left out: dlib's scale of s image pixels per pixel of the chip becomes
(150·s − 1) / 149, 0.1 to 0.2 % less, and its chips are rounded down to whole values.

Here chips are cut by OpenCV; `warping/face_chip.py` cuts them so that gradients reach the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.graphs.dlib_weights import CHIP_PX
from mien.model.landmarks.alignment import Matrix, invert_transform, warp

PADDING = 0.25
"""Around the mean face, in its units."""

CHIP_POINTS = (*range(27, 55), *range(60, 65))
"""Nose, eyes and upper lip. dlib leaves out jaw, brows and lower lip."""
# fmt: off
MEAN_X = (
    0.490127, 0.490127, 0.490127, 0.490127, 0.366880, 0.426036, 0.490127, 0.554217, 0.613373,
    0.121737, 0.187122, 0.265825, 0.334606, 0.260918, 0.182743,
    0.645647, 0.714428, 0.793132, 0.858516, 0.797510, 0.719335,
    0.254149, 0.340985, 0.428858, 0.490127, 0.551395, 0.639268, 0.726104,
    0.290379, 0.428096, 0.490127, 0.552157, 0.689874,
)
MEAN_Y = (
    0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326,
    0.216423, 0.178758, 0.179852, 0.231733, 0.245099, 0.244077,
    0.231733, 0.179852, 0.178758, 0.216423, 0.244077, 0.245099,
    0.780233, 0.745405, 0.727388, 0.742578, 0.727388, 0.745405, 0.780233,
    0.784792, 0.778746, 0.785343, 0.778746, 0.784792,
)
# fmt: on
"""dlib's mean face at `CHIP_POINTS`: nose, left eye, right eye, outer and inner edge of the upper lip."""

_LEAST_SCALE = 1 / CHIP_PX
"""Pixels of the picture per pixel of the chip: a face is taken for one pixel wide at least."""


def chip_transform(landmarks: Float[np.ndarray, "68 2"]) -> Matrix:
    """From a picture to the chip of the face whose common landmarks these are, all in pixels.

    The least squares are those of the mean face onto the landmarks, as dlib has them, not of the way back:
    a = Σ m̄·l / Σ|m|² and l̄ − a·m̄ with points as complex numbers (`warping/similarity.py`).
    """
    side = CHIP_PX / (1 + 2 * PADDING)
    mean = (np.array(MEAN_X) + PADDING + 1j * (np.array(MEAN_Y) + PADDING)) * side
    face = landmarks[list(CHIP_POINTS)].astype(np.float64) @ np.array([1, 1j])
    centred = mean - mean.mean()
    turn = complex((centred.conj() * (face - face.mean())).sum() / (centred.conj() * centred).sum().real)
    if abs(turn) < _LEAST_SCALE:
        turn = complex(_LEAST_SCALE)
    shift = complex(face.mean() - turn * mean.mean())
    return invert_transform(np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]))


def cut_chips(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]], landmarks: Sequence[Float[np.ndarray, "68 2"]]
) -> UInt8[np.ndarray, "n 150 150 3"]:
    """The chip of one face in each picture. What lies outside the picture repeats its border."""
    if not images:
        return np.zeros((0, CHIP_PX, CHIP_PX, 3), np.uint8)
    return np.stack(
        [warp(image, chip_transform(points), CHIP_PX) for image, points in zip(images, landmarks, strict=True)]
    )
