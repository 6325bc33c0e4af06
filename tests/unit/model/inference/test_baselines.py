"""The baselines that warp: exact where the answer is known."""

from __future__ import annotations

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


def test_an_opening_mouth_moves_the_background_with_the_spline_alone() -> None:
    """A column of grey values beside the face and one through the lips: only the spline shifts the first."""
    rows = np.linspace(0, 250, 64).astype(np.uint8)
    photo = np.broadcast_to(rows[None, :, None, None], (1, 64, 64, 3)).copy()
    opened = CALM.copy()
    opened[:, [*range(5, 12), *range(55, 60), 65, 66, 67], 1] += 0.2  # chin and lower lip 6 px further down
    by_spline, by_face = (
        np.abs(warp(photo, CALM, opened).astype(int) - photo) for warp in (spline_warped, face_warped)
    )
    bottom = np.s_[0, 60:, 30:34]
    assert by_spline[bottom].mean() > 2 * by_face[bottom].mean()
    lip = tuple(int(v) for v in (opened[0, 57] + 1) * 32)
    at_lip = np.s_[0, lip[1] - 1 : lip[1] + 2, lip[0] - 1 : lip[0] + 2]
    assert by_face[at_lip].mean() > 10
