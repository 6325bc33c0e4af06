"""The baseline that warps: exact where the answer is known."""

from __future__ import annotations

import numpy as np

from mien.model.inference.baselines import spline_warped


def _points(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.8, 0.8, (1, 68, 2)).astype(np.float32)


def test_the_same_landmarks_leave_the_photo_as_it_is() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert np.abs(spline_warped(photo, _points(0), _points(0)).astype(int) - photo).max() <= 1


def test_what_moves_right_in_the_target_moves_right_in_the_picture() -> None:
    photo = np.zeros((1, 32, 32, 3), np.uint8)
    photo[0, :, 10] = 200
    shift = np.array([4 / 16, 0], np.float32)  # 4 of 32 px, in [-1, 1]
    moved = spline_warped(photo, _points(0), _points(0) + shift)
    assert (moved[0, :, 14] >= 199).all()
    assert (moved[0, :, 10] <= 1).all()
