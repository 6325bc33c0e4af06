"""The landmarks to ask for in a scheme of more than 68: the face's own dense landmarks, carried along.

Retargeting works on the 68 common landmarks. What a denser scheme has between them (the run of a lid, the iris) goes
along by the thin-plate spline that takes the face's own 68 to those asked for (Bookstein, Principal Warps, 1989):

    f(x) = x + a₀ + A·x + Σᵢ wᵢ·φ(‖x − oᵢ‖)      φ(r) = r²·log r², oᵢ: the own landmarks; f(oᵢ) ≈ asked

It adds to x what moves, so a face that is asked for itself keeps its landmarks bit by bit, and a gaze stays where it is
between the lids. In numpy and double precision, face by face: a face does not depend on the others of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mien.model.expression.parts import PARTS, ExpressionPart, moved_landmarks
from mien.model.landmarks.schemes import LandmarkScheme, part_indices, to_common

SMOOTHING = 1e-4
"""λ, as in `warping/thin_plate_spline.py`, for points in [-1, 1] over the crop. Far less than there: lids that move
apart are to be followed. Landmarks that coincide, as closed lips do, still have a solution."""


def asked_landmarks(
    source: Float[np.ndarray, "faces points 2"],
    driver: Float[np.ndarray, "faces points 2"],
    scheme: LandmarkScheme,
    asked: Float[np.ndarray, "faces 68 2"],
    parts: Sequence[ExpressionPart] = PARTS,
) -> Float[np.ndarray, "faces points 2"]:
    """The landmarks of `scheme` that go with the 68 asked for; all points are in [-1, 1] over crops aligned alike.

    Args:
        source: Landmarks of the people who are to be shown.
        driver: Landmarks of those whose expression is taken.
        scheme: That of both.
        asked: The common landmarks that retargeting gave.
        parts: Of the expression that follow the driver. The other parts are the source's, its gaze included.
    """
    if scheme == "ibug68":
        return asked
    out = carried(driver, scheme, asked)
    if stay := _stays(scheme, parts):
        out[:, stay] = carried(source, scheme, asked)[:, stay]
    return out


def carried(
    landmarks: Float[np.ndarray, "faces points 2"], scheme: LandmarkScheme, asked: Float[np.ndarray, "faces 68 2"]
) -> Float[np.ndarray, "faces points 2"]:
    """Each face's landmarks, moved as its common ones are."""
    faces = landmarks.astype(np.float64)
    return np.stack([_carried(face, to_common(face, scheme), to) for face, to in zip(faces, asked, strict=True)])


def _stays(scheme: LandmarkScheme, parts: Sequence[ExpressionPart]) -> list[int]:
    """The landmarks of the facial parts that do not follow the driver."""
    moved, common = moved_landmarks(parts), part_indices("ibug68")
    return [
        index
        for part, indices in part_indices(scheme).items()
        if not moved[list(common[part])].all()
        for index in indices
    ]


def _carried(
    points: Float[np.ndarray, "points 2"], own: Float[np.ndarray, "68 2"], asked: Float[np.ndarray, "68 2"]
) -> Float[np.ndarray, "points 2"]:
    count = len(own)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(own, own) + SMOOTHING * np.eye(count)
    system[:count, count:] = _with_one(own)
    system[count:, :count] = _with_one(own).T
    solved = np.linalg.solve(system, np.concatenate([asked - own, np.zeros((3, 2))]))
    return points + np.concatenate([_kernel(points, own), _with_one(points)], axis=1) @ solved


def _kernel(
    points: Float[np.ndarray, "points 2"], centres: Float[np.ndarray, "centres 2"]
) -> Float[np.ndarray, "points centres"]:
    """φ of the distances. log r² of r = 0 is held finite; times r² it is 0."""
    across, down = (points[:, axis, None] - centres[:, axis] for axis in (0, 1))
    squared = across * across + down * down
    return squared * np.log(np.maximum(squared, np.finfo(np.float64).tiny))


def _with_one(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 3"]:
    return np.concatenate([np.ones((len(points), 1)), points], axis=1)
