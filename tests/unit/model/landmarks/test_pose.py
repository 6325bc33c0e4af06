from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.pose import pose_of_rotation


def about(axis: int, degrees: float) -> np.ndarray:
    """A rotation that takes the next axis towards the one after it."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = np.cos(np.radians(degrees))
    rotation[second, first] = np.sin(np.radians(degrees))
    rotation[first, second] = -rotation[second, first]
    return rotation


def test_a_head_straight_to_the_camera_is_not_turned() -> None:
    assert pose_of_rotation(np.eye(3)) == pytest.approx((0, 0, 0))


@pytest.mark.parametrize("degrees", [-40.0, 10.0, 70.0])
def test_each_angle_is_that_of_its_axis(degrees: float) -> None:
    # x to the right, y down, z away: the nose, at −z, goes left about y, down about x; x goes down about z.
    assert pose_of_rotation(about(1, degrees)) == pytest.approx((-degrees, 0, 0))
    assert pose_of_rotation(about(0, degrees)) == pytest.approx((0, degrees, 0))
    assert pose_of_rotation(about(2, degrees)) == pytest.approx((0, 0, degrees))
