"""Head pose apart from expression: a person's frontal shape with depths, turned, scaled and shifted into a photo.

Under scaled orthography a point (x, y, z) of a head is seen at s R₂ (x, y, z)ᵀ + t, R₂ being the first two rows of a
rotation. x and y are those of the person's own neutral, so only the depths z are general. They were factorised from
the turned heads among the AT&T (ORL) faces (`ShapeModel.fit`; as Tomasi and Kanade 1992, with expressions as noise),
made mirror-symmetric, and scaled to a nose tip of 0.6, since small turns tell depths up to one factor only.

The pose is fitted to points that expressions hardly move, and what it does not explain is expression. An error of the
pose is carried over with it and cancels, as long as the two faces are proportioned alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import mirror_indices

_ITERATIONS = 20
"""The error falls to a third with each: below 0.001 of a radian from 35 degrees."""

_RIGID: dict[int, float] = {
    **dict.fromkeys((27, 28, 29, 30), 1.0),  # the bridge and tip of the nose
    **dict.fromkeys((36, 39, 42, 45), 1.0),  # the corners of the eyes
    **dict.fromkeys((31, 32, 33, 34, 35), 0.5),  # its base widens with a smile
    **dict.fromkeys((0, 1, 15, 16), 0.2),  # the ears' end of the jaw, an outline more than points
}
"""Landmarks that tell the pose, and their weights."""

_HALF_DEPTHS: dict[tuple[int, ...], tuple[float, ...]] = {
    tuple(range(9)): (0.84, 0.8, 0.75, 0.68, 0.55, 0.37, 0.18, 0.0, -0.06),
    tuple(range(17, 22)): (0.22, 0.07, -0.05, -0.13, -0.19),
    tuple(range(27, 31)): (-0.22, -0.34, -0.47, -0.6),
    (31, 32, 33): (-0.24, -0.32, -0.37),
    tuple(range(36, 42)): (0.12, 0.06, 0.04, 0.05, 0.04, 0.06),
    (48, 49, 50, 51, 57, 58, 59): (0.01, -0.17, -0.27, -0.3, -0.24, -0.22, -0.12),
    (60, 61, 62, 66, 67): (-0.01, -0.25, -0.27, -0.24, -0.23),
}
"""Of the picture's left half and the middle."""


@cache
def generic_depths() -> Float[np.ndarray, " 68"]:
    """Depth of each landmark away from the camera, in units of the distance between the eye centres."""
    depths, mirrored = np.full(68, np.nan), mirror_indices()
    for landmarks, values in _HALF_DEPTHS.items():
        for landmark, value in zip(landmarks, values, strict=True):
            depths[[landmark, mirrored[landmark]]] = value
    return depths


def generic_head() -> Float[np.ndarray, "68 3"]:
    """The reference face with the generic depths, in its units."""
    return np.column_stack([reference_shape(), generic_depths()])


def with_depths(
    shapes: Float[np.ndarray, "batch 68 2"], depths: Float[np.ndarray, " 68"]
) -> Float[np.ndarray, "batch 68 3"]:
    """Frontal shapes in any unit, given depths that are in distances between the eye centres."""
    eyes = np.linalg.norm(shapes[:, 36:42].mean(1) - shapes[:, 42:48].mean(1), axis=-1)
    return np.concatenate([shapes, (eyes[:, None] * depths)[..., None]], axis=-1)


@dataclass(frozen=True)
class HeadPose:
    """Poses of a batch of heads: how their shapes are seen in photos."""

    rotation: Float[np.ndarray, "batch 3 3"]
    scale: Float[np.ndarray, " batch"]
    shift: Float[np.ndarray, "batch 2"]

    def project(self, heads: Float[np.ndarray, "batch 68 3"]) -> Float[np.ndarray, "batch 68 2"]:
        """The heads as they are seen in these poses."""
        return heads @ self._seen().transpose(0, 2, 1) + self.shift[:, None]

    def frontal(
        self, points: Float[np.ndarray, "batch 68 2"], heads: Float[np.ndarray, "batch 68 3"]
    ) -> Float[np.ndarray, "batch 68 2"]:
        """The shapes without the poses, if the depths are those of `heads`: `project` undone exactly."""
        seen = self._seen()
        flat = points - self.shift[:, None] - heads[..., 2:] * seen[:, None, :, 2]
        return flat @ np.linalg.inv(seen[..., :2]).transpose(0, 2, 1)

    def turned(self) -> Float[np.ndarray, " batch"]:
        """Degrees between the head's axis and the camera's; the tilt in the picture does not count."""
        return np.degrees(np.arccos(np.clip(self.rotation[:, 2, 2], -1, 1)))

    def _seen(self) -> Float[np.ndarray, "batch 2 3"]:
        return self.scale[:, None, None] * self.rotation[:, :2]


def fit_pose(
    heads: Float[np.ndarray, "batch 68 3"], points: Float[np.ndarray, "batch 68 2"], iterations: int = _ITERATIONS
) -> HeadPose:
    """The poses in which heads come nearest to points of photos: weighted least squares over the rigid landmarks.

    The depth that a photo lacks is filled in from the pose so far, which leaves a Procrustes problem in three
    dimensions; repeating this only ever lowers the error.
    """
    rigid, weights = list(_RIGID), np.array(list(_RIGID.values()))[:, None] / sum(_RIGID.values())
    model, seen = heads[:, rigid], points[:, rigid].astype(np.float64)
    model_centre, seen_centre = (weights * model).sum(1, keepdims=True), (weights * seen).sum(1, keepdims=True)
    model, seen = model - model_centre, seen - seen_centre
    rotation, scale = np.broadcast_to(np.eye(3), (len(heads), 3, 3)), np.ones(len(heads))
    for _ in range(iterations):
        depth = scale[:, None, None] * (model @ rotation[:, 2, :, None])
        rotation = nearest_rotation(np.concatenate([seen, depth], -1).transpose(0, 2, 1) @ (weights * model))
        flat = model @ rotation[:, :2].transpose(0, 2, 1)
        scale = (weights * flat * seen).sum((1, 2)) / (weights * flat**2).sum((1, 2))
    shift = seen_centre - scale[:, None, None] * (model_centre @ rotation[:, :2].transpose(0, 2, 1))
    return HeadPose(rotation, scale, shift[:, 0])


def nearest_rotation(matrices: Float[np.ndarray, "batch 3 3"]) -> Float[np.ndarray, "batch 3 3"]:
    """The rotations with the largest inner product with the matrices (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(matrices)
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def between(first: HeadPose, second: HeadPose, share: float) -> HeadPose:
    """Poses on the way from the first (share 0) to the second (share 1)."""
    return HeadPose(
        nearest_rotation((1 - share) * first.rotation + share * second.rotation),
        first.scale ** (1 - share) * second.scale**share,
        (1 - share) * first.shift + share * second.shift,
    )
