"""Head pose from a face mesh with depths: the rotation of vertices that expressions hardly move."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

from mien.model.landmarks.mediapipe_points import mirrored
from mien.model.landmarks.pose import Pose, pose_of_rotation

_LEFT_AND_MIDDLE: dict[int, tuple[float, float, float]] = {
    33: (-0.5, 0.0, 0.0),
    133: (-0.195, 0.0127, -0.0601),
    127: (-0.7702, 0.052, 0.5565),
    162: (-0.7598, -0.1094, 0.4355),
    21: (-0.7274, -0.2389, 0.2858),
    168: (0.0, -0.04, -0.253),
    6: (0.0, 0.0374, -0.2986),
    197: (0.0, 0.1116, -0.3513),
    195: (0.0, 0.1817, -0.4088),
    5: (0.0, 0.257, -0.4688),
    4: (0.0, 0.3481, -0.493),
}
"""Outer and inner corner of the eye, three vertices of the temple, and the bridge of the nose down to its tip.

On a head straight to the camera: x to the picture's right, y down, z away from the camera, in units of the distance
between the outer eye corners, with the origin midway between them.

They are the symmetric mean of the meshes of the AT&T (ORL) faces, by generalised Procrustes analysis. So yaw and roll
are zero where the mesh is symmetric. Symmetry does not tell which pitch is zero: the mean is turned about the x axis so
that over these photos the mean pitch is that of `pose_degrees` with dlib's landmarks, whose mean is the reference face.
`python -m benchmarks.head_pose` prints the table.
"""


@cache
def rigid_vertices() -> tuple[int, ...]:
    """The vertices that tell the pose, of both halves."""
    left = tuple(vertex for vertex, (x, _, _) in _LEFT_AND_MIDDLE.items() if x)
    return (*_LEFT_AND_MIDDLE, *mirrored(left))


@cache
def rigid_head() -> Float[np.ndarray, "n 3"]:
    """These vertices on a head straight to the camera, the mean of many; units and axes as in the table above."""
    points = np.array([*_LEFT_AND_MIDDLE.values()])
    return np.concatenate([points, points[points[:, 0] != 0] * [-1, 1, 1]])


def mesh_pose(points: Float[np.ndarray, "468 3"]) -> Pose:
    """Yaw, pitch and roll of a mesh: x and y in pixels of the picture, depths away from the camera in the same unit.

    The least-squares rotation of the reference onto it, whatever their scales (Kabsch 1976; Umeyama 1991).
    """
    return pose_of_rotation(rotation_onto(rigid_head(), points[list(rigid_vertices())]))


def rotation_onto(points: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation after which points are nearest to others, both around their means and at the best scale."""
    u, _, vt = np.linalg.svd((target - target.mean(0)).T @ (points - points.mean(0)))
    # A head is never mirrored: where the best orthogonal matrix is a reflection, take the best rotation.
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))]) @ vt
