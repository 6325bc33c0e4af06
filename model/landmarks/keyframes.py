"""Which frames of a video show something new: those in which a part of the face differs from every former new frame.

A mean over all landmarks hides what matters: a blink moves 8 of 68 points, a closed smile 20. So each part has its own
measure and its own limit, and one part beyond its limit makes a frame new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mien.model.configuration.bounds import NotNegative, check_bounds
from mien.model.landmarks.alignment import apply_transform, similarity_transform
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import eye_opening, mouth_opening

_STABLE = (27, 28, 29, 30, 36, 39, 42, 45)
"""Bridge and tip of the nose, corners of the eyes: expressions hardly move them."""
_EYES = tuple(range(36, 48))


@dataclass(frozen=True)
class ChangeLimits:
    """From which change on a part of the face is new. Lengths are shares of the inter-ocular distance.

    Measured with dlib on 40 people of the London set: of neutral and smile 92% differ in a part beyond these limits;
    the same photo turned by up to 4 degrees, scaled, shifted, in other light and recompressed differs in none.
    """

    lids: NotNegative = 0.05
    """Of the eye opening, height over width (Soukupová and Čech 2016), of either eye."""
    lips: NotNegative = 0.012
    """Mean distance of the lips' landmarks, about their centre."""
    mouth: NotNegative = 0.015
    """Of the gap between the inner lips."""
    brows: NotNegative = 0.015
    """Of the height of the brows over the eyes."""
    jaw: NotNegative = 0.03
    """Of the distance from the nose's root to the chin."""
    turn: NotNegative = 0.04
    """Of the nose's tip between the eyes, across and down: about 4 degrees of yaw or pitch."""

    def __post_init__(self) -> None:
        check_bounds(self)


class _Parts(NamedTuple):
    """What of a face is compared, after a similarity transform onto the reference face."""

    lids: Float[np.ndarray, " 2"]
    lips: Float[np.ndarray, "20 2"]
    mouth: float
    brows: Float[np.ndarray, " 2"]
    jaw: float
    turn: Float[np.ndarray, " 2"]

    def differs(self, other: _Parts, limits: ChangeLimits) -> bool:
        return bool(
            np.abs(self.lids - other.lids).max() >= limits.lids
            or np.linalg.norm(self.lips - other.lips, axis=1).mean() >= limits.lips
            or abs(self.mouth - other.mouth) >= limits.mouth
            or np.abs(self.brows - other.brows).max() >= limits.brows
            or abs(self.jaw - other.jaw) >= limits.jaw
            or np.abs(self.turn - other.turn).max() >= limits.turn
        )


class DistinctFaces:
    """Remembers the faces that were new.

    Where a face is in the picture, how large and how tilted, is nothing new.
    """

    def __init__(self, limits: ChangeLimits) -> None:
        self._limits = limits
        self._known: list[_Parts] = []
        self._faceless = False

    def is_new(self, landmarks_xy: Float[np.ndarray, "68 2"] | None) -> bool:
        """Whether a part of the face differs from each former new face by its limit at least.

        Without a face: whether there was one in the frame before.

        Args:
            landmarks_xy: Of the largest face, iBUG order, any unit; none where there is no face.
        """
        former, self._faceless = self._faceless, landmarks_xy is None
        if landmarks_xy is None:
            return not former
        parts = _parts(landmarks_xy.astype(np.float64))
        if parts is None or not all(parts.differs(known, self._limits) for known in self._known):
            return False
        self._known.append(parts)
        return True


def _parts(points: Float[np.ndarray, "68 2"]) -> _Parts | None:
    """None where the landmarks are no face: all one point, or eyes without a width."""
    reference = reference_shape()
    try:
        matrix = similarity_transform(points[list(_STABLE)], reference[list(_STABLE)])
    except ValueError:
        return None
    placed = apply_transform(matrix, points) / np.linalg.norm(reference[36] - reference[45])
    with np.errstate(invalid="ignore", divide="ignore"):
        lids, gap = np.array(eye_opening(points, "ibug68")), mouth_opening(points, "ibug68")
    if not (np.isfinite(lids).all() and np.isfinite(gap)):
        return None
    lips, eyes_y = placed[48:68], placed[list(_EYES), 1].mean()
    brows = np.array([placed[17:22, 1].mean(), placed[22:27, 1].mean()]) - eyes_y
    jaw = float(placed[6:11, 1].mean() - placed[27, 1])
    return _Parts(lids, lips - lips.mean(0), gap, brows, jaw, placed[30] - placed[list(_EYES)].mean(0))
