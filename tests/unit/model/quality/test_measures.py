from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.model.expression.head_pose import generic_head
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks, reference_shape
from mien.model.quality.limits import QualityLimits, broken_limit
from mien.model.quality.measures import exposure, outside_share, pose_degrees, shape_error, sharpness


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The reference face with some depth, turned by degrees and seen from the front."""
    shape = reference_shape()
    depth = -0.6 * np.exp(-((shape - shape[30]) ** 2).sum(1) / 0.05)[:, None]  # the nose stands out
    head = np.hstack([shape, depth])
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return (head @ (about_z @ about_x @ about_y).T)[:, :2]


def test_the_reference_face_looks_straight_ahead() -> None:
    assert np.abs(pose_degrees(reference_landmarks(AlignmentSettings()), "ibug68")).max() < 1e-6


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_signs_and_sizes_of_turns(degrees: float) -> None:
    assert pose_degrees(turned(roll=degrees), "ibug68").roll == pytest.approx(degrees, abs=2)
    yaw = pose_degrees(turned(yaw=degrees), "ibug68").yaw
    # The nose of `turned` moves to the picture's right for a positive yaw, and down for a positive pitch.
    assert (turned(yaw=degrees)[30, 0] > 0) == (yaw > 0)
    assert abs(yaw - degrees) < 10
    pitch = pose_degrees(turned(pitch=degrees), "ibug68").pitch
    assert (turned(pitch=degrees)[30, 1] > reference_shape()[30, 1]) == (pitch > 0)


def test_pose_does_not_depend_on_scale_and_place() -> None:
    face = turned(yaw=20, pitch=5)
    assert np.allclose(pose_degrees(face * 37 + [100, 50], "ibug68"), pose_degrees(face, "ibug68"), atol=1e-6)


def test_blur_lowers_sharpness() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    crops = [noise, cv2.GaussianBlur(noise, (0, 0), 2), cv2.GaussianBlur(noise, (0, 0), 5)]
    values = [sharpness(crop) for crop in crops]
    assert values[0] > 2 * values[1] > 4 * values[2] > 0


def test_sharpness_does_not_depend_on_lighting() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8), (0, 0), 1)
    dim = (noise // 2 + 30).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(noise), rel=0.15)


def test_one_colour_has_none() -> None:
    assert sharpness(np.full((64, 64, 3), 99, np.uint8)) == 0


def test_exposure_is_that_of_the_face_alone() -> None:
    landmarks = reference_landmarks(AlignmentSettings(size_px=128))
    crop = np.zeros((128, 128, 3), np.uint8)
    hull = cv2.convexHull(np.rint(landmarks).astype(np.int32))
    cv2.fillConvexPoly(crop, hull, (102, 102, 102))
    assert exposure(crop, landmarks, "ibug68") == pytest.approx((0.4, 0), abs=1e-6)
    assert exposure(np.full_like(crop, 255), landmarks, "ibug68") == (1, 1)
    assert exposure(crop, landmarks + 1000, "ibug68") == (0, 1)


def test_the_shape_error_is_of_the_shape_not_of_the_pose() -> None:
    face = reference_landmarks(AlignmentSettings())
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    assert shape_error(face @ turn * 3 + 50, "ibug68") < 1e-6
    head = generic_head()
    yaw = np.array([[np.cos(0.4), 0, np.sin(0.4)], [0, 1, 0]])
    assert shape_error(head @ yaw.T * 100, "ibug68") < 1e-3
    slipped = face.copy()
    slipped[:17, 1] += 0.5 * (face[8, 1] - face[30, 1])
    assert shape_error(slipped, "ibug68") > 0.1


def test_eyes_and_mouth_outside_are_counted_and_the_jaw_is_not() -> None:
    face = reference_landmarks(AlignmentSettings(size_px=100))
    assert outside_share(face, "ibug68", 100, 100) == 0
    assert outside_share(face, "ibug68", 100, int(face[8, 1]) - 1) == 0
    assert outside_share(face, "ibug68", 100, int(face[36:48, 1].max()) + 1) == pytest.approx(20 / 32)


MEASURES = {
    "score": 0.9,
    "face_px": 80.0,
    "sharpness": 0.1,
    "brightness": 0.5,
    "clipped": 0.01,
    "pose": [5.0, -3.0, 1.0],
    "shape_error": 0.1,
    "landmark_scatter": 0.01,
    "outside": 0.0,
}


@pytest.mark.parametrize(
    ("measure", "value", "says"),
    [
        ("score", -0.1, "detector score -0.1 is below 0"),
        ("face_px", 20.0, "face size in px 20 is below 32"),
        ("brightness", 0.01, "brightness 0.01 is below"),
        ("brightness", 0.99, "brightness 0.99 is above"),
        ("pose", [0.0, -70.0, 0.0], "pitch in degrees 70 is above"),
        ("landmark_scatter", 0.2, "landmark scatter 0.2 is above"),
        ("shape_error", float("nan"), "landmark shape error nan is above"),
        ("outside", 0.5, "share of eyes and mouth outside 0.5 is above 0"),
    ],
)
def test_a_broken_limit_is_told_with_its_numbers(measure: str, value: object, says: str) -> None:
    assert (broken_limit({**MEASURES, measure: value}, QualityLimits()) or "").startswith(says)


def test_good_faces_and_unmeasured_ones_break_no_limit() -> None:
    assert broken_limit(MEASURES, QualityLimits()) is None
    assert broken_limit({**MEASURES, "landmark_scatter": None}, QualityLimits()) is None
