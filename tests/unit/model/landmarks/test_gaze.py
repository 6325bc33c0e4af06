"""Irises between the corners of the eyes."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.contours import irises
from mien.model.landmarks.gaze import gaze
from mien.model.landmarks.schemes import POINTS


@pytest.fixture
def points() -> np.ndarray:
    """The mesh of no face: only the eyes count. Both are 20 px wide, their irises in the middle."""
    xy = np.random.default_rng(0).uniform(0, 128, (POINTS["mediapipe478"], 2))
    for left, right, shared in ((33, 133, (7, 155)), (362, 263, (382, 249))):
        x = 30.0 if left == 33 else 80.0
        xy[[left, shared[0]]] = [x, 60]
        xy[[right, shared[1]]] = [x + 20, 60]
    found = irises("mediapipe478")
    xy[found["left_eye"].centre], xy[found["right_eye"].centre] = [40, 60], [90, 60]
    return xy


def test_an_iris_in_the_middle_looks_straight_ahead(points: np.ndarray) -> None:
    found = gaze(points, "mediapipe478")
    assert found is not None
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_the_way_of_an_iris_counts_in_widths_of_the_eye(points: np.ndarray) -> None:
    points[irises("mediapipe478")["left_eye"].centre] += [5, -2]
    found = gaze(points, "mediapipe478")
    assert found is not None
    np.testing.assert_allclose(found, [[0.25, -0.1], [0, 0]], atol=1e-12)


def test_the_gaze_stays_where_the_picture_is_turned_moved_and_scaled(points: np.ndarray) -> None:
    points[irises("mediapipe478")["right_eye"].centre] += [3, 1]
    turned = 2.5 * points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [7, -3]
    first, second = gaze(points, "mediapipe478"), gaze(turned, "mediapipe478")
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_a_scheme_without_irises_has_no_gaze() -> None:
    assert gaze(np.zeros((68, 2)), "ibug68") is None
