from __future__ import annotations

import cv2
import numpy as np
import pytest

from model.quality import pose_degrees, sharpness
from model.reference import AlignmentSettings, reference_landmarks, reference_shape


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
