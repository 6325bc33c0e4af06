"""A person's neutral face from the landmarks of any photos of theirs, without a fitted model.

Photos are turned to the front, the calmest are averaged, and what is still no rest (an open mouth, closed eyes) is put
to rest by construction. The result lies where the alignment would put it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mien.model.expression.head_pose import fit_pose, generic_head
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import five_points

LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""Upper and lower lid."""
LIP_PAIRS = ((61, 67), (62, 66), (63, 65))
"""Upper and lower inner lip."""
OUTER_LIPS = {61: 50, 62: 51, 63: 52, 67: 58, 66: 57, 65: 56}
"""The point of the outer lip beyond each of the inner lip."""

_CALM_SHARE = 1 / 3
_MAX_CALM = 12
_REST_LIP_GAP = 0.03
"""Between closed lips, in distances between the eye centres: what landmark detectors see."""
_CLOSED_EYE, _USUAL_EYE, _WIDE_EYE = 0.14, 0.27, 0.4
"""Lid gap over eye width. `_USUAL_EYE` is that of the reference face."""
_UPPER_LID_SHARE = 0.75
_UPPER_LIP_SHARE = 0.25
_CHIN_SHARE = 0.6
"""Of the gap between the lips, what the upper lip and the chin move as the mouth opens: slopes over the photos of 23
actors (0.24 and 0.59) and of 85 people with and without a smile (0.29 and 0.57)."""
_JAW_FOLLOWS = np.array([0, 0, 0.1, 0.3, 0.55, 0.75, 0.9, 1, 1, 1, 0.9, 0.75, 0.55, 0.3, 0.1, 0, 0])
"""How far each point of the jaw's outline goes with the chin."""


def to_reference_units(
    points: Float[np.ndarray, "batch 68 2"],
) -> tuple[Float[np.ndarray, "batch 68 2"], float, Float[np.ndarray, " 2"]]:
    """Points of aligned crops in the units of the reference face, all by one scale and shift, which are returned too.

    Aligned crops differ from the reference face by nothing else: least squares over the five points of all photos.
    """
    five, reference = five_points(points, "ibug68").astype(np.float64), five_points(reference_shape(), "ibug68")
    mean, target = five.mean((0, 1)), reference.mean(0)
    scale = ((five - mean) * (reference - target)).sum() / ((five - mean) ** 2).sum()
    shift = target - scale * mean
    return points * scale + shift, float(scale), shift


class FrontalFaces(NamedTuple):
    """Photos turned to the front by the generic head, and aligned."""

    shapes: Float[np.ndarray, "batch 68 2"]
    """In reference units."""
    turned: Float[np.ndarray, " batch"]
    """How far the photos were turned, in degrees."""


def frontal_faces(points: Float[np.ndarray, "batch 68 2"]) -> FrontalFaces:
    """Points in any unit as seen from the front."""
    heads = np.broadcast_to(generic_head(), (len(points), 68, 3))
    pose = fit_pose(heads, points)
    return FrontalFaces(aligned(pose.frontal(points, heads)), pose.turned())


def aligned(shapes: Float[np.ndarray, "batch 68 2"]) -> Float[np.ndarray, "batch 68 2"]:
    """Shapes scaled, turned and shifted so that their five points come nearest to those of the reference face."""
    five = five_points(shapes, "ibug68") @ np.array([1, 1j])
    reference = five_points(reference_shape(), "ibug68") @ np.array([1, 1j])
    middle, target = five.mean(-1, keepdims=True), reference.mean()
    turn = ((five - middle).conj() * (reference - target)).sum(-1) / (np.abs(five - middle) ** 2).sum(-1)
    placed = turn[:, None] * (shapes @ np.array([1, 1j]) - middle) + target
    return np.stack([placed.real, placed.imag], axis=-1)


def neutral_by_construction(points: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "68 2"]:
    """The neutral of a person with these photos, all in [-1, 1] over crops that were aligned alike; so is the result.

    One photo serves too.
    """
    return in_crop_of(points, at_rest(calm_shape(frontal_faces(points))))


def in_crop_of(points: Float[np.ndarray, "n 68 2"], shape: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "68 2"]:
    """A shape in reference units where it would lie in the crops of these photos."""
    _, scale, shift = to_reference_units(points)
    return (aligned(shape[None])[0] - shift) / scale


def calm_shape(faces: FrontalFaces) -> Float[np.ndarray, "68 2"]:
    """The mean of a person's calmest third of photos (up to 12), as they are.

    Calm is little turned, with the mouth closed, and brows, mouth and eyes as the person usually has them.
    """
    count = int(np.clip(round(_CALM_SHARE * len(faces.shapes)), 1, _MAX_CALM))
    return faces.shapes[np.argsort(_unrest(faces), kind="stable")[:count]].mean(0)


def _unrest(faces: FrontalFaces) -> Float[np.ndarray, " n"]:
    """How far from calm: each term is about 1 for a distinct expression (reference units, degrees)."""
    shapes = faces.shapes
    measures = np.stack(
        [
            shapes[:, 17:27, 1].mean(1) - shapes[:, 36:48, 1].mean(1),
            shapes[:, 54, 0] - shapes[:, 48, 0],
            shapes[:, [48, 54], 1].mean(1) - shapes[:, 33, 1],
            gaps(shapes, LID_PAIRS).mean(1),
        ],
        axis=1,
    )
    unusual = np.abs(measures - np.median(measures, axis=0)) / np.array([0.1, 0.15, 0.1, 0.06])
    opened = gaps(shapes, LIP_PAIRS).mean(1).clip(0) / 0.1
    return opened + unusual.sum(1) + faces.turned / 15


def gaps(shapes: Float[np.ndarray, "n 68 2"], pairs: tuple[tuple[int, int], ...]) -> Float[np.ndarray, "n pairs"]:
    """Height between the upper and the lower point of each pair."""
    upper, lower = ([pair[side] for pair in pairs] for side in (0, 1))
    return shapes[:, lower, 1] - shapes[:, upper, 1]


def at_rest(shape: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "68 2"]:
    """A frontal shape in reference units with the mouth closed and the eyes ordinarily open; unchanged if it has."""
    shape = shape.copy()
    _close_mouth(shape)
    _open_eyes(shape)
    return shape


def _close_mouth(shape: Float[np.ndarray, "68 2"]) -> None:
    """The lips are brought together, and the jaw with the lower one."""
    raised = (gaps(shape[None], LIP_PAIRS)[0] - _REST_LIP_GAP).clip(0)
    for (upper, lower), height in zip(LIP_PAIRS, raised, strict=True):
        shape[[upper, OUTER_LIPS[upper]], 1] += _UPPER_LIP_SHARE * height
        shape[[lower, OUTER_LIPS[lower]], 1] -= (1 - _UPPER_LIP_SHARE) * height
    shape[[59, 55], 1] -= raised[[0, 2]] * 0.45  # halfway to the corners, which stay
    shape[:17, 1] -= _CHIN_SHARE * _JAW_FOLLOWS * raised.mean()


def _open_eyes(shape: Float[np.ndarray, "68 2"]) -> None:
    """Both alike, so that they go on differing as the person's eyes do."""
    width, gap = np.abs(shape[[36, 42], 0] - shape[[39, 45], 0]).mean(), gaps(shape[None], LID_PAIRS).mean()
    if _CLOSED_EYE <= gap / width <= _WIDE_EYE:
        return
    lacking = width * (_USUAL_EYE if gap < _CLOSED_EYE * width else _WIDE_EYE) - gap
    for upper, lower in LID_PAIRS:
        shape[upper, 1] -= lacking * _UPPER_LID_SHARE
        shape[lower, 1] += lacking * (1 - _UPPER_LID_SHARE)
