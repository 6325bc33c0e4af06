"""Which frames of a video show something new: those whose landmarks no former frame has."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mien.model.landmarks.alignment import apply_transform, similarity_transform
from mien.model.landmarks.reference import reference_shape


class DistinctFaces:
    """Remembers the faces that were new.

    Faces are compared after a similarity transform onto the reference face, so where a face is in the picture, and how
    large, is nothing new; expressions and turns of the head are.
    """

    def __init__(self, min_change: float) -> None:
        self._min_change = min_change
        self._known: list[Float[np.ndarray, "68 2"]] = []
        self._faceless = False

    def is_new(self, landmarks_xy: Float[np.ndarray, "68 2"] | None) -> bool:
        """Whether the mean distance of the landmarks to those of each former new face is at least `min_change`.

        Without a face: whether there was one in the frame before.

        Args:
            landmarks_xy: Of the largest face, iBUG order, any unit; none where there is no face.
        """
        former, self._faceless = self._faceless, landmarks_xy is None
        if landmarks_xy is None:
            return not former
        try:
            points = landmarks_xy.astype(np.float64)
            placed = apply_transform(similarity_transform(points, reference_shape()), points)
        except ValueError:
            return False  # all landmarks are one point
        if self._known and _distances(np.stack(self._known), placed).min() < self._min_change:
            return False
        self._known.append(placed)
        return True


def _distances(known: Float[np.ndarray, "n 68 2"], placed: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(known - placed, axis=-1).mean(-1)
