"""How much of the change that was asked for is found on a face, part by part.

Asked for is the way from the source's landmarks to those of the target; found is the way from the landmarks that the
detector finds on the source's crop to those that it finds on the result. Both are seen from the front, so that a turn
of the head is no expression; the turn is a part of its own. What a part reached is found · asked / asked · asked: the
slope of the found change along the asked one. An unchanged copy of the source has 0, what was asked for has 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from mien.model.expression.head_pose import fit_pose, generic_head
from mien.model.expression.neutral import LID_PAIRS, aligned, gaps

ChangePart = Literal["mouth", "lids", "brows", "jaw", "pose"]
PARTS: tuple[ChangePart, ...] = get_args(ChangePart)

_BROWS, _EYES, _MOUTH, _JAW = slice(17, 27), slice(36, 48), slice(48, 68), slice(4, 13)


@dataclass(frozen=True)
class PartChange:
    """Of one part of one face."""

    asked: float
    """Root mean square over the part's coordinates, in distances between the eye centres; of the pose in degrees."""
    reached: float
    """Share of the asked change that is found; beyond 1 where more is found than asked."""


def part_shapes(points: Float[np.ndarray, "batch 68 2"]) -> dict[ChangePart, Float[np.ndarray, "batch coordinates"]]:
    """The coordinates of each part, seen from the front, in distances between the eye centres; the pose in degrees.

    Points may be in any unit.
    """
    heads = np.broadcast_to(generic_head(), (len(points), 68, 3))
    pose = fit_pose(heads, points)
    shapes = aligned(pose.frontal(points, heads))
    eye_line = shapes[:, _EYES, 1].mean(1, keepdims=True)
    nose = pose.rotation @ np.array([0.0, 0.0, -1.0])
    angles = np.stack(
        [
            np.arctan2(nose[:, 0], -nose[:, 2]),
            np.arctan2(nose[:, 1], -nose[:, 2]),
            np.arctan2(pose.rotation[:, 1, 0], pose.rotation[:, 0, 0]),
        ],
        axis=1,
    )
    return {
        "mouth": shapes[:, _MOUTH].reshape(len(shapes), -1),
        "lids": gaps(shapes, LID_PAIRS),
        "brows": shapes[:, _BROWS, 1] - eye_line,
        "jaw": shapes[:, _JAW, 1],
        "pose": np.degrees(angles),
    }


def part_changes(
    source: Float[np.ndarray, "68 2"],
    target: Float[np.ndarray, "68 2"],
    found_before: Float[np.ndarray, "68 2"],
    found: Float[np.ndarray, "68 2"],
) -> dict[ChangePart, PartChange]:
    """What was asked of each part and how much of it is found.

    Args:
        source: Landmarks of the source that the target was derived from.
        target: Landmarks that are asked for.
        found_before: Those found on the source's crop.
        found: Those found on the result.
    """
    shapes = part_shapes(np.stack([source, target, found_before, found]).astype(np.float64))
    return {part: _change(*each) for part, each in shapes.items()}


def gaze_change(
    source: Float[np.ndarray, "2 2"],
    target: Float[np.ndarray, "2 2"],
    found_before: Float[np.ndarray, "2 2"],
    found: Float[np.ndarray, "2 2"],
) -> PartChange:
    """The same of the gaze as `model/landmarks/gaze.py` gives it, in widths of the eye."""
    return _change(*(gaze.ravel().astype(np.float64) for gaze in (source, target, found_before, found)))


def _change(
    source: Float[np.ndarray, " n"],
    target: Float[np.ndarray, " n"],
    before: Float[np.ndarray, " n"],
    after: Float[np.ndarray, " n"],
) -> PartChange:
    asked = target - source
    size = float((asked**2).sum())
    reached = float((after - before) @ asked) / size if size > 0 else 0.0
    return PartChange(float(np.sqrt((asked**2).mean())), reached)
