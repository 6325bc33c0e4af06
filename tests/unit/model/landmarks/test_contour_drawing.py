"""Contours: the profile beside a line, gaps between lids, irises, and faces that do not depend on their batch."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks import mediapipe_points
from mien.model.landmarks.contour_drawing import IRIS_VALUE, draw_contours
from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.keypoints import part_mirror
from mien.model.landmarks.parts import PARTS, POINTS, LandmarkScheme, Part
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import mirror_indices
from tests.dense_faces import dense_landmarks

SIDE_PX = 64
FAR = -1000.0
FACE = reference_landmarks(AlignmentSettings(size_px=SIDE_PX)).astype(np.float32) / SIDE_PX * 2 - 1


def face_px(scheme: LandmarkScheme, gaze: float = 0.0) -> np.ndarray:
    return (dense_landmarks(FACE, scheme, gaze) + 1) * (SIDE_PX / 2)


def drawn(points: np.ndarray, scheme: LandmarkScheme = "ibug68", sigma_px: float = 1.5) -> np.ndarray:
    return np.concatenate([draw_contours(points[None], scheme, part, SIDE_PX, sigma_px) for part in PARTS])


def alone(part: Part, corners: np.ndarray, scheme: LandmarkScheme = "ibug68") -> np.ndarray:
    """Landmarks of which those of the part's first line are at these corners, the rest far away."""
    points = np.full((POINTS[scheme], 2), FAR, np.float32)
    points[list(contours(scheme)[part][0].indices)] = corners
    return points


def eye(gap_px: float, x: float = 32.0, y: float = 32.0, width_px: float = 12.0) -> np.ndarray:
    """The six landmarks of an eye, its lids straight but at the corners."""
    across = np.array([0, 0.2, 0.8, 1, 0.8, 0.2]) * width_px + x - width_px / 2
    return np.stack([across, y + np.array([0, -0.5, -0.5, 0, 0.5, 0.5]) * gap_px], axis=1).astype(np.float32)


def test_a_line_has_a_gaussian_beside_it() -> None:
    at = np.stack([np.linspace(10, 50, 17), np.full(17, 20.5)], axis=1)
    jaw = drawn(alone("jaw", at), sigma_px=2.0)[PARTS.index("jaw")]
    for apart in range(5):
        expected = round(255 * np.exp(-(apart**2) / 8))
        assert (jaw[20 + apart, 12:48] == expected).all()
        assert (jaw[20 - apart, 12:48] == expected).all()
    # Beyond its ends the distance is that to the end.
    assert jaw[20, 51] == pytest.approx(255 * np.exp(-(1.5**2) / 8), abs=0.51)
    assert jaw[:10].max() == jaw[31:].max() == 0


def test_the_jaw_is_open_and_lips_are_closed() -> None:
    face = drawn(face_px("ibug68"))
    jaw, lips = face[PARTS.index("jaw")], face[PARTS.index("outer_lips")]
    points = face_px("ibug68")
    between_ears = np.floor((points[0] + points[16]) / 2).astype(int)
    assert jaw[between_ears[1], between_ears[0]] == 0
    first_and_last = np.floor((points[48] + points[59]) / 2).astype(int)
    assert lips[first_and_last[1], first_and_last[0]] > 150


@pytest.mark.parametrize("scheme", POINTS)
def test_only_landmarks_on_lines_are_drawn(scheme: LandmarkScheme) -> None:
    points, on_lines = (
        face_px(scheme),
        {i for lines in contours(scheme).values() for line in lines for i in line.indices},
    )
    on_lines |= {i for iris in irises(scheme).values() for i in (iris.centre, *iris.rim)}
    moved = points.copy()
    moved[[i for i in range(len(points)) if i not in on_lines]] = 5.5
    assert np.array_equal(drawn(points, scheme), drawn(moved, scheme))
    moved[list(on_lines)] += 3
    assert not np.array_equal(drawn(points, scheme), drawn(moved, scheme))


def test_lids_two_pixels_apart_are_two_edges_with_a_gap() -> None:
    # Wherever the eye lies in the grid of the pixels, and though each line is wider than the gap.
    for shift in np.linspace(0, 1, 5):
        column = drawn(alone("left_eye", eye(2.0, y=32 + shift)))[PARTS.index("left_eye"), :, 32].astype(float)
        within = column[31:35].min()
        assert within < 0.3 * column[:32].max()
        assert within < 0.3 * column[33:].max()


def test_a_gap_below_a_pixel_takes_its_share_and_a_shut_eye_has_none() -> None:
    totals = [drawn(alone("left_eye", eye(gap)))[PARTS.index("left_eye")].astype(float).sum() for gap in (0, 0.25, 0.5)]
    lightest = [
        drawn(alone("left_eye", eye(gap, y=32.5)))[PARTS.index("left_eye"), 32, 32] for gap in (0, 0.25, 0.5, 1)
    ]
    assert lightest == pytest.approx([255, 0.75 * 255, 0.5 * 255, 0], abs=8)
    assert np.abs(np.diff(totals)).max() < 0.1 * totals[0]  # no jump


@pytest.mark.parametrize("scheme", POINTS)
def test_openings_of_eyes_and_mouth_are_dark_and_lids_are_light(scheme: LandmarkScheme) -> None:
    points = face_px(scheme)
    for part in ("left_eye", "right_eye", "inner_lips"):
        line = points[list(contours(scheme)[part][0].indices)]
        middle = line.mean(0)
        points[list(contours(scheme)[part][0].indices), 1] = middle[1] + 4 * (line[:, 1] - middle[1])  # wide open
    for indices in irises(scheme).values():
        points[[indices.centre, *indices.rim]] = FAR
    face = drawn(points, scheme)
    for part in ("left_eye", "right_eye", "inner_lips"):
        channel, line = face[PARTS.index(part)], points[list(contours(scheme)[part][0].indices)]
        column, row = np.floor(line.mean(0)).astype(int)
        assert channel[row, column] == 0
        assert channel[:row, column].max() > 150
        assert channel[row:, column].max() > 150


def test_lids_that_cross_for_a_bit_are_shut_there() -> None:
    # The outer half of the upper lid lies below the lower lid.
    crossed = eye(3.0)
    crossed[1, 1], crossed[5, 1] = 32.4, 31.6
    channel = drawn(alone("left_eye", crossed))[PARTS.index("left_eye")].astype(int)
    assert channel[32, 27] > 200
    assert channel[32, 35] < 60


def test_an_iris_is_a_disc_between_the_lids_and_follows_the_gaze() -> None:
    left_eye, line = PARTS.index("left_eye"), contours("mediapipe478")["left_eye"][0].indices
    centres: list[float] = []
    for gaze in (-0.5, 0.0, 0.5):
        points = face_px("mediapipe478", gaze)
        middle = points[list(line)].mean(0)
        points[list(line), 1] = middle[1] + 3 * (points[list(line), 1] - middle[1])
        with_iris, iris = drawn(points, "mediapipe478")[left_eye], irises("mediapipe478")["left_eye"]
        column, row = np.floor(points[iris.centre]).astype(int)
        assert with_iris[row, column] == pytest.approx(255 * IRIS_VALUE, abs=8)
        points[[iris.centre, *iris.rim]] = FAR
        disc = with_iris.astype(float) - drawn(points, "mediapipe478")[left_eye]
        assert disc.min() >= 0
        centres.append(float((disc.sum(0) * np.arange(SIDE_PX)).sum() / disc.sum()))
    assert np.diff(centres) == pytest.approx([2, 2], abs=0.7)  # an eye is 9 pixels wide


def test_a_shut_eye_shows_no_iris() -> None:
    points, part = face_px("mediapipe478"), contours("mediapipe478")["left_eye"][0].indices
    points[list(part), 1] = points[list(part), 1].mean()
    iris = irises("mediapipe478")["left_eye"]
    hidden = points.copy()
    hidden[[iris.centre, *iris.rim]] = FAR
    assert np.array_equal(drawn(points, "mediapipe478")[4], drawn(hidden, "mediapipe478")[4])


@pytest.mark.parametrize("scheme", ["ibug68", "mediapipe478"])
def test_a_mirrored_face_is_drawn_mirrored(scheme: LandmarkScheme) -> None:
    points = face_px(scheme, gaze=0.4) + np.float32(0.3)
    order = mirror_indices() if scheme == "ibug68" else mediapipe_points.MIRRORED
    mirrored = np.array([SIDE_PX, 0], np.float32) + points[list(order)] * np.array([-1, 1], np.float32)
    expected = drawn(points, scheme)[part_mirror()][..., ::-1]
    assert np.abs(drawn(mirrored, scheme).astype(int) - expected).max() <= 1


def test_what_lies_beyond_the_border_fades_out() -> None:
    low = np.stack([np.linspace(10, 50, 17), np.full(17, -1.0)], axis=1)
    jaw = drawn(alone("jaw", low))[0]
    assert jaw[0, 30] == pytest.approx(255 * np.exp(-(1.5**2) / 4.5), abs=0.51)
    assert drawn(alone("jaw", low - [0, 20])).max() == 0


@pytest.mark.parametrize("scheme", POINTS)
def test_a_face_is_the_same_alone_and_in_a_batch(scheme: LandmarkScheme) -> None:
    draw = np.random.default_rng(0)
    faces = np.stack([face_px(scheme) + draw.normal(0, 2, 2) for _ in range(5)]).astype(np.float32)
    spec = HeatmapSpec(form="contours")
    batch = render_heatmaps(faces, scheme, SIDE_PX, spec)
    assert batch.shape == (5, len(PARTS), 64, 64)
    for n in range(5):
        assert np.array_equal(batch[n], render_heatmaps(faces[n : n + 1], scheme, SIDE_PX, spec)[0])
    assert render_heatmaps(faces[:0], scheme, SIDE_PX, spec).shape == (0, len(PARTS), 64, 64)


def test_landmarks_that_coincide_are_drawn() -> None:
    heatmap = drawn(np.full((68, 2), 20.5, np.float32))
    assert (heatmap[:, 20, 20] == 255).all()


def test_contours_of_any_scheme_look_alike() -> None:
    # What the networks see changes little with the detector: lines, not so many dots.
    chosen = [PARTS.index(part) for part in ("jaw", "outer_lips", "inner_lips")]
    schemes: tuple[LandmarkScheme, ...] = ("ibug68", "insightface106", "mediapipe478")
    lines, dots = (
        [
            render_heatmaps(face_px(s)[None], s, SIDE_PX, HeatmapSpec(form=form))[0, chosen].astype(float)
            for s in schemes
        ]
        for form in ("contours", "points")
    )
    for other in (1, 2):
        assert np.abs(lines[0] - lines[other]).mean() < 0.4 * np.abs(dots[0] - dots[other]).mean()
