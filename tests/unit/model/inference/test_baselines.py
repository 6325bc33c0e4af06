"""The baselines that warp: exact where the answer is known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from mien.model.inference.baselines import face_warped, spline_warped
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks

BOTH = pytest.mark.parametrize("warped", [spline_warped, face_warped])
CALM = (reference_landmarks(AlignmentSettings(size_px=64)) / 32 - 1)[None].astype(np.float32)


def _points(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.8, 0.8, (1, 68, 2)).astype(np.float32)


@BOTH
def test_the_same_landmarks_leave_the_photo_as_it_is(warped) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert np.abs(warped(photo, _points(0), _points(0)).astype(int) - photo).max() <= 1


@BOTH
def test_what_moves_right_in_the_target_moves_right_in_the_picture(warped) -> None:
    photo = np.zeros((1, 32, 32, 3), np.uint8)
    photo[0, :, 10] = 200
    shift = np.array([4 / 16, 0], np.float32)  # 4 of 32 px, in [-1, 1]
    moved = warped(photo, _points(0), _points(0) + shift)
    assert (moved[0, :, 14] >= 199).all()
    assert (moved[0, :, 10] <= 1).all()


def test_raised_brows_move_the_background_with_the_spline_alone() -> None:
    rows = np.linspace(0, 250, 64).astype(np.uint8)
    photo = np.broadcast_to(rows[None, :, None, None], (1, 64, 64, 3)).copy()
    raised = CALM.copy()
    raised[:, 17:27, 1] -= 0.2  # 6 px
    by_spline, by_face = (
        np.abs(warp(photo, CALM, raised).astype(int) - photo) for warp in (spline_warped, face_warped)
    )
    corner = np.s_[0, :3, :3]
    assert by_face[corner].mean() < 6
    assert by_spline[corner].mean() > 25
    x, y = (int(v) for v in (raised[0, 19] + 1) * 32)
    assert by_face[0, y, x].mean() > 10


@BOTH
def test_a_motion_from_a_coarse_grid_is_nearly_that_of_each_pixel(warped: Any) -> None:
    random = np.random.default_rng(0)
    rough = random.integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    photos = np.stack([cv2.resize(each, (128, 128), interpolation=cv2.INTER_CUBIC) for each in rough])
    source = CALM.repeat(2, 0)
    target = source + random.normal(0, 0.04, source.shape).astype(np.float32) + np.float32(0.1)
    fine, coarse = warped(photos, source, target, 128), warped(photos, source, target)
    assert np.abs(fine.astype(int) - photos).mean() > 3
    assert 0 < np.abs(fine.astype(int) - coarse).mean() < 0.5
    assert (warped(photos, source, target, 256) == fine).all()
