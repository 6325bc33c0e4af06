from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.model.landmarks.alignment import (
    apply_transform,
    bordered,
    by_centres,
    invert_transform,
    similarity_transform,
    warp,
)

FIVE = np.array([[80.0, 100], [170, 96], [128, 150], [95, 190], [160, 188]])


def similarity(angle: float, scale: float, tx: float, ty: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, tx], [sin, cos, ty]])


@given(
    st.floats(-np.pi, np.pi), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500), st.integers(0, 2**32 - 1)
)
def test_known_transforms_are_recovered(angle: float, scale: float, tx: float, ty: float, seed: int) -> None:
    points = FIVE + np.random.default_rng(seed).normal(0, 5, FIVE.shape)
    known = similarity(angle, scale, tx, ty)
    onto = apply_transform(known, points)
    found = similarity_transform(points, onto)
    assert np.abs(apply_transform(found, points) - onto).max() < 1e-4
    assert np.allclose(found, known, atol=1e-6)


def test_it_is_the_least_squares_fit() -> None:
    random = np.random.default_rng(1)
    onto = apply_transform(similarity(0.3, 0.7, 12, -5), FIVE) + random.normal(0, 3, FIVE.shape)
    best = similarity_transform(FIVE, onto)

    def error(matrix: np.ndarray) -> float:
        return float(((apply_transform(matrix, FIVE) - onto) ** 2).sum())

    a, b = best[0, 0], best[1, 0]
    for step in random.normal(0, 1e-3, (50, 4)):
        other = np.array([[a + step[0], -b - step[1], best[0, 2]], [b + step[1], a + step[0], best[1, 2]]])
        other[:, 2] += 100 * step[2:]
        assert error(other) >= error(best)


def test_it_agrees_with_opencv() -> None:
    onto = apply_transform(similarity(-0.2, 1.6, 3, 40), FIVE)
    expected, _ = cv2.estimateAffinePartial2D(FIVE, onto, method=cv2.LMEDS)
    assert np.abs(similarity_transform(FIVE, onto) - expected).max() < 1e-4


def test_a_mirrored_face_is_turned_but_never_mirrored() -> None:
    matrix = similarity_transform(FIVE, FIVE * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) > 0


def test_one_point_defines_no_transform() -> None:
    with pytest.raises(ValueError, match="no scale"):
        similarity_transform(np.ones((5, 2)), FIVE)


def test_inverse_takes_back() -> None:
    matrix = similarity(0.5, 2.5, 7, 9)
    assert np.allclose(apply_transform(invert_transform(matrix), apply_transform(matrix, FIVE)), FIVE)


def dots(size_px: int, points: np.ndarray, sigma: float) -> np.ndarray:
    """A picture with a bright spot at each point, in coordinates from the picture's corner."""
    rows, columns = np.mgrid[0:size_px, 0:size_px] + 0.5
    spots = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) for x, y in points]
    return np.repeat((255 * np.max(spots, axis=0)).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("scale", [0.2, 0.45, 0.8, 1.0, 2.3])
def test_warped_pixels_go_where_their_points_go(scale: float) -> None:
    point = np.array([[200.0, 190.0]])
    matrix = similarity(0.2, scale, 0, 0)
    matrix[:, 2] = [61.0, 66.0] - matrix[:, :2] @ point[0]
    out = warp(dots(400, point, 6 / min(scale, 1)), matrix, 128)[..., 0].astype(float)
    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    centre = np.array([(columns * out).sum(), (rows * out).sum()]) / out.sum()
    assert np.abs(centre - [61.0, 66.0]).max() < 0.1


def test_fine_stripes_shrink_to_grey() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    out = warp(stripes, similarity(0, 0.25, 0, 0), 128)
    assert np.abs(out.astype(int) - 128).max() <= 3


def test_outside_repeats_the_border() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, -1] = 200
    out = warp(image, similarity(0, 1, 0, 0), 40)
    assert (out[5, 20:] == 200).all()
    assert (bordered(image, 7)[10, -8:] == 200).all()
    assert bordered(image, 0).shape == (20, 20, 3)


@pytest.mark.parametrize("shrink", [2, 3, 7])
@pytest.mark.parametrize("place", [(60, 40), (-30, 10), (210, 260), (900, -900)])
def test_a_part_of_a_photo_shrinks_to_the_same_pixels_as_the_whole_of_it(
    shrink: int, place: tuple[float, float]
) -> None:
    photo = np.random.default_rng(shrink).integers(0, 256, (shrink * 120, shrink * 90, 3), np.uint8)
    angle, scale = 0.3, 1 / (shrink + 0.4)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, np.array([20, 20]) - linear @ np.array(place)])
    small = cv2.resize(photo, (90, 120), interpolation=cv2.INTER_AREA)
    of_small = by_centres(matrix @ np.diag([shrink, shrink, 1.0]))
    whole = cv2.warpAffine(small, of_small, (40, 40), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(warp(photo, matrix, 40).astype(int) - whole).max() <= 1  # cv2 rounds shifts to 1/32 px


def test_a_photo_whose_sides_are_no_multiple_of_the_average_keeps_its_border() -> None:
    photo = np.zeros((101, 67, 3), np.uint8)
    photo[:, -1] = photo[-1] = 255
    shown = warp(photo, np.column_stack([np.eye(2) / 5, [-10.0, -16.0]]), 40)
    assert (shown[-10:, -10:] == 255).all()
