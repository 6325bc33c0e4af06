"""The pose is found, taken out and put on again, whatever the depths."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.expression.head_pose import (
    HeadPose,
    between,
    fit_pose,
    generic_depths,
    generic_head,
    nearest_rotation,
    with_depths,
)
from mien.model.landmarks.schemes import mirror_indices
from mien.model.quality.measures import pose_degrees


def turned(yaw: float, pitch: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> HeadPose:
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return HeadPose((about_x @ about_y)[None], np.array([scale]), np.array([shift], float))


def test_the_generic_head_is_symmetric_and_its_nose_stands_out() -> None:
    depths = generic_depths()
    assert np.array_equal(depths, depths[list(mirror_indices())])
    assert depths.argmin() == 30
    assert depths[30] == -0.6


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (15, -10), (-35, 12)])
def test_a_pose_is_found_again(yaw: float, pitch: float) -> None:
    asked = turned(yaw, pitch, 0.4, (0.1, -0.2))
    heads = generic_head()[None]
    seen = asked.project(heads)
    found = fit_pose(heads, seen)
    assert found.project(heads) == pytest.approx(seen, abs=2e-3)
    assert found.rotation == pytest.approx(asked.rotation, abs=2e-2)
    assert found.scale == pytest.approx(asked.scale, rel=1e-2)


def test_the_sides_are_those_of_the_quality_measures() -> None:
    # Turned by 20 degrees towards the picture's right, as `pose_degrees` counts it.
    seen = turned(20).project(generic_head()[None])[0]
    assert pose_degrees(seen, "ibug68").yaw == pytest.approx(20, abs=4)


def test_frontal_undoes_project() -> None:
    heads, pose = generic_head()[None], turned(20, 5, 0.5, (0.3, 0.1))
    assert pose.frontal(pose.project(heads), heads) == pytest.approx(heads[..., :2])
    assert turned(20).turned() == pytest.approx([20])


def test_between_two_poses() -> None:
    first, second = turned(0, scale=1.0, shift=(0.0, 0.0)), turned(20, scale=4.0, shift=(2.0, 0.0))
    half = between(first, second, 0.5)
    assert half.rotation == pytest.approx(turned(10).rotation)
    assert half.scale == pytest.approx([2])
    assert half.shift == pytest.approx(np.array([[1, 0]]))
    assert between(first, second, 0.0).rotation == pytest.approx(first.rotation)
    assert between(first, second, 1.0).rotation == pytest.approx(second.rotation)


def test_depths_grow_with_the_face() -> None:
    flat = generic_head()[None, :, :2]
    unit = np.linalg.norm(flat[0, 36:42].mean(0) - flat[0, 42:48].mean(0))
    assert with_depths(3 * flat, generic_depths())[0, 30, 2] == pytest.approx(3 * -0.6 * unit)


def test_a_reflection_is_no_rotation() -> None:
    found = nearest_rotation(np.diag([1.0, 1.0, -0.1])[None])
    assert np.linalg.det(found) == pytest.approx([1])
    assert found[0] == pytest.approx(np.eye(3))
