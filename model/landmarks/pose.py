"""Where a head turns, in degrees: the one convention of all that measures it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Pose(NamedTuple):
    """Where the head turns, in degrees; all zero is the reference face, straight to the camera."""

    yaw: float
    """Positive towards the picture's right."""
    pitch: float
    """Positive downwards."""
    roll: float
    """Positive clockwise in the picture."""


def pose_of_rotation(rotation: Float[np.ndarray, "3 3"]) -> Pose:
    """Of a rotation that takes a head straight to the camera to how it is seen.

    Axes: x to the picture's right, y down, z away from the camera.
    """
    # The direction the nose points in, and the turn of the line between the eyes.
    nose = rotation @ np.array([0.0, 0.0, -1.0])
    yaw, pitch = np.arctan2(nose[0], -nose[2]), np.arctan2(nose[1], -nose[2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return Pose(*(float(value) for value in np.degrees([yaw, pitch, roll])))
