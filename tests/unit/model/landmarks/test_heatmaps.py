"""Heatmaps of points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import redraw_heatmaps, render_heatmaps
from mien.model.landmarks.schemes import PARTS, POINTS, LandmarkScheme, part_indices

FAR = -1000.0


def alone(index: int, x: float, y: float, scheme: LandmarkScheme = "ibug68") -> np.ndarray:
    """One landmark in view, all others far outside."""
    points = np.full((1, POINTS[scheme], 2), FAR, np.float32)
    points[0, index] = x, y
    return points


@pytest.mark.parametrize("scheme", POINTS)
def test_the_peak_is_where_the_landmark_is_in_the_channel_of_its_part(scheme: LandmarkScheme) -> None:
    spec = HeatmapSpec(size_px=64, form="points")
    for channel, part in enumerate(PARTS):
        index = part_indices(scheme)[part][1]
        # The centre of the heatmap's pixel (40, 20): four crop pixels to one of the heatmap.
        heatmaps = render_heatmaps(alone(index, 40.5 * 4, 20.5 * 4, scheme), scheme, 256, spec)[0]
        assert np.unravel_index(heatmaps[channel].argmax(), (64, 64)) == (20, 40)
        assert heatmaps[channel].max() == 255
        assert heatmaps.sum() == heatmaps[channel].sum()


def test_values_are_those_of_the_gaussian() -> None:
    heatmap = render_heatmaps(alone(8, 10.5, 20.5), "ibug68", 32, HeatmapSpec(32, 2.0, "points"))[0, 0]
    for dx, dy in ((0, 0), (1, 0), (0, 3), (-2, 4)):
        assert heatmap[20 + dy, 10 + dx] == round(255 * math.exp(-(dx**2 + dy**2) / 8))


def test_between_two_pixels_both_are_alike() -> None:
    heatmap = render_heatmaps(alone(8, 11.0, 20.5), "ibug68", 32, HeatmapSpec(size_px=32, form="points"))[0, 0]
    assert heatmap[20, 10] == heatmap[20, 11] == round(255 * math.exp(-0.125 / 1.5**2))


def test_landmarks_of_a_part_join_by_their_maximum() -> None:
    points = alone(0, 8.5, 8.5)
    points[0, 1] = 9.5, 8.5
    both = render_heatmaps(points, "ibug68", 32, HeatmapSpec(size_px=32, form="points"))[0, 0]
    single = [
        render_heatmaps(alone(k, x, 8.5), "ibug68", 32, HeatmapSpec(size_px=32, form="points"))[0, 0]
        for k, x in ((0, 8.5), (1, 9.5))
    ]
    assert np.array_equal(both, np.maximum(*single))


def test_landmarks_outside_fade_out() -> None:
    spec = HeatmapSpec(32, 1.5, "points")
    near = render_heatmaps(alone(8, -1.0, 16.5), "ibug68", 32, spec)[0, 0]
    assert 0 < near[:, 0].max() < 255
    assert render_heatmaps(alone(8, -20.0, 16.5), "ibug68", 32, spec).max() == 0


def test_each_face_of_a_batch_is_rendered_as_if_alone() -> None:
    points = np.random.default_rng(0).uniform(0, 128, (5, 68, 2)).astype(np.float32)
    batch = render_heatmaps(points, "ibug68", 128, HeatmapSpec())
    assert batch.shape == (5, 8, 64, 64)
    assert batch.dtype == np.uint8
    assert np.array_equal(batch[3], render_heatmaps(points[3:4], "ibug68", 128, HeatmapSpec())[0])
    assert render_heatmaps(points[:0], "ibug68", 128, HeatmapSpec()).shape == (0, 8, 64, 64)


@pytest.mark.parametrize("form", ["points", "contours"])
@pytest.mark.parametrize("scheme", POINTS)
def test_where_no_landmark_of_a_part_moved_the_given_heatmap_stays(scheme: LandmarkScheme, form: HeatmapForm) -> None:
    spec, random = HeatmapSpec(size_px=32, form=form), np.random.default_rng(0)
    former = random.uniform(10, 110, (len(PARTS) + 1, POINTS[scheme], 2))
    given, moved = render_heatmaps(former, scheme, 128, spec), former.copy()
    for face, part in enumerate(PARTS):  # in the last one nothing moves
        moved[face, random.choice(part_indices(scheme)[part])] += 5
    drawn = redraw_heatmaps(given, former, moved, scheme, 128, spec)
    assert np.array_equal(drawn, render_heatmaps(moved, scheme, 128, spec))
    kept = redraw_heatmaps(np.full_like(given, 77), former, moved, scheme, 128, spec)
    assert np.argwhere((kept != 77).any((2, 3))).tolist() == [[face, face] for face in range(len(PARTS))]
