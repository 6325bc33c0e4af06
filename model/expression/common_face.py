"""Expressions and head poses of many people on one common face, so that faces can be compared whoever they show.

A driver asks a person for the person's neutral with the driver's displacement, in the driver's pose. A photo of the
person is the neutral with the photo's own displacement, in its own pose. The neutral is the same in both, so the two
are compared on the reference face. That takes one pose for each face, not one retargeting for each pair.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float16, Int

from mien.model.expression.head_pose import fit_pose, generic_head
from mien.model.expression.neutral import FrontalFaces
from mien.model.expression.rest import rest_shapes

_AT_ONCE = 8192
_ITERATIONS = 6
"""Of the poses: their error is then below 0.1 of a degree for most heads, at a third of the time."""


def on_common_face(
    points: Float[np.ndarray, "faces 68 2"], people: Int[np.ndarray, " faces"]
) -> Float16[np.ndarray, "faces 136"]:
    """The landmarks of the reference face with the expression and in the pose of each face.

    Points are in [-1, 1] over crops that were aligned alike, and so is the result. `people` number the people, whose
    neutrals are found from all faces here.
    """
    shapes, turned = np.zeros(points.shape, np.float32), np.zeros(len(points))
    out = np.zeros((len(points), 136), np.float16)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(points), _AT_ONCE)]
    for part in parts:
        heads = np.broadcast_to(generic_head(), (len(points[part]), 68, 3))
        pose = fit_pose(heads, points[part], _ITERATIONS)
        # Not aligned: what the alignment takes off is in the photos, and a generator has to move it.
        shapes[part], turned[part] = pose.frontal(points[part], heads), pose.turned()
    if not len(points):
        return out
    numbers = np.unique(people, return_inverse=True)[1]
    neutrals = rest_shapes(FrontalFaces(shapes, turned), numbers)
    for part in parts:
        heads = np.broadcast_to(generic_head(), (len(points[part]), 68, 3)).copy()
        pose = fit_pose(heads, points[part], _ITERATIONS)
        heads[..., :2] += shapes[part] - neutrals[numbers[part]]
        out[part] = pose.project(heads).reshape(len(heads), -1)
    return out


def displacement_sizes(
    points: Float[np.ndarray, "faces 68 2"], people: Int[np.ndarray, " faces"]
) -> Float[np.ndarray, " faces"]:
    """How far each face is from its person at rest, whatever the head's pose: RMS over the landmarks, in the unit of
    the points. `people` number the people, whose neutrals are found from all faces here."""
    heads = np.broadcast_to(generic_head(), (len(points), 68, 3))
    pose = fit_pose(heads, points, _ITERATIONS)
    shapes = pose.frontal(points, heads)
    numbers = np.unique(people, return_inverse=True)[1]
    neutrals = rest_shapes(FrontalFaces(shapes, pose.turned()), numbers)
    return np.sqrt(((shapes - neutrals[numbers]) ** 2).sum(-1).mean(-1))
