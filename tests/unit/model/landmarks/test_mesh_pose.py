from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.mediapipe_points import LEFT_LIDS, MESH_POINTS, MIRRORED, mirrored
from mien.model.landmarks.mesh_pose import mesh_pose, rigid_head, rigid_vertices, rotation_onto
from tests.unit.model.landmarks.test_pose import about


def mesh(rotation: np.ndarray, seed: int = 0) -> np.ndarray:
    """A mesh whose rigid vertices are those of the reference, turned; the others are anywhere."""
    points = np.random.default_rng(seed).normal(size=(MESH_POINTS, 3))
    points[list(rigid_vertices())] = rigid_head() @ rotation.T
    return points


def test_the_reference_is_a_symmetric_head() -> None:
    vertices, points = rigid_vertices(), rigid_head()
    assert len(set(vertices)) == len(vertices) == len(points)
    other = [vertices.index(MIRRORED[vertex]) for vertex in vertices]
    assert np.array_equal(points[other] * [-1, 1, 1], points)
    corner = vertices.index(LEFT_LIDS[0])
    assert points[corner].tolist() == [-0.5, 0, 0]
    assert MIRRORED[LEFT_LIDS[0]] == mirrored(LEFT_LIDS)[0]
    # The tip of the nose is in front of the eyes and below them, the temples are behind them.
    tip, temple = points[vertices.index(4)], points[vertices.index(127)]
    assert tip[2] < 0 < temple[2]
    assert tip[1] > 0


@pytest.mark.parametrize("degrees", [-60.0, -15.0, 5.0, 35.0])
@pytest.mark.parametrize(("axis", "expected"), [(1, (-1, 0, 0)), (0, (0, 1, 0)), (2, (0, 0, 1))])
def test_a_turned_mesh_has_its_angle(axis: int, expected: tuple[int, ...], degrees: float) -> None:
    found = mesh_pose(mesh(about(axis, degrees)))
    assert found == pytest.approx(np.multiply(expected, degrees), abs=1e-9)


def test_only_rigid_vertices_tell_it_whatever_scale_and_place() -> None:
    turn = about(1, 20) @ about(0, -10)
    one, other = mesh_pose(mesh(turn)), mesh_pose(mesh(turn, seed=1) * 83 + [120, 40, -7])
    assert one == pytest.approx(other, abs=1e-9)


def test_a_mirrored_mesh_has_the_mirrored_pose() -> None:
    points = mesh(about(2, 8) @ about(1, 20) @ about(0, -10)) + np.random.default_rng(1).normal(0, 0.02, (468, 3))
    twin = points[list(MIRRORED[:MESH_POINTS])] * [-1, 1, 1]
    assert mesh_pose(twin) == pytest.approx(mesh_pose(points) * np.array([-1, 1, -1]), abs=1e-9)


def test_a_reflection_is_no_rotation() -> None:
    points = np.random.default_rng(0).normal(size=(9, 3))
    rotation = rotation_onto(points, points * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
