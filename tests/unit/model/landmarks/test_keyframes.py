"""A frame is new if a part of the face is: a blink, a smile, raised brows, a turned head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mien.model.landmarks.keyframes import ChangeLimits, DistinctFaces
from mien.model.landmarks.reference import reference_shape

Shape = np.ndarray
EYES = np.r_[36:48]


def _blink(shape: Shape, share: float = 0.3) -> Shape:
    for eye in (slice(36, 42), slice(42, 48)):
        middle = shape[eye, 1].mean()
        shape[eye, 1] = middle + (shape[eye, 1] - middle) * share
    return shape


def _wink(shape: Shape) -> Shape:
    middle = shape[36:42, 1].mean()
    shape[36:42, 1] = middle + (shape[36:42, 1] - middle) * 0.3
    return shape


def _wider_mouth(shape: Shape) -> Shape:
    shape[48:, 0] = shape[48:, 0].mean() + (shape[48:, 0] - shape[48:, 0].mean()) * 1.15
    return shape


def _lifted_corners(shape: Shape) -> Shape:
    shape[[48, 54, 60, 64], 1] -= 0.06
    shape[[49, 53, 59, 55], 1] -= 0.03
    return shape


def _open_mouth(shape: Shape) -> Shape:
    shape[[61, 62, 63], 1] -= 0.03
    shape[[65, 66, 67], 1] += 0.03
    return shape


def _one_brow(shape: Shape) -> Shape:
    shape[17:22, 1] -= 0.05
    return shape


def _dropped_jaw(shape: Shape) -> Shape:
    shape[4:13, 1] += 0.1
    return shape


def _turned_head(shape: Shape) -> Shape:
    shape[30:36, 0] += 0.12
    return shape


CHANGES: list[Callable[[Shape], Shape]] = [
    _blink, _wink, _wider_mouth, _lifted_corners, _open_mouth, _one_brow, _dropped_jaw, _turned_head,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_one_part_is_new(change: Callable[[Shape], Shape]) -> None:
    faces = DistinctFaces(ChangeLimits())
    assert faces.is_new(reference_shape())
    changed = change(reference_shape().copy())
    assert faces.is_new(changed)
    assert not faces.is_new(changed)
    assert not faces.is_new(reference_shape())


def test_the_same_face_elsewhere_larger_and_tilted_is_nothing_new() -> None:
    faces, shape = DistinctFaces(ChangeLimits()), reference_shape()
    assert faces.is_new(shape)
    angle = np.radians(15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for scale, shift in ((80, 12), (3, -500), (1, 0.001)):
        assert not faces.is_new(shape @ turn.T * scale + shift)


def test_what_a_detector_errs_by_is_nothing_new() -> None:
    faces, shape = DistinctFaces(ChangeLimits()), reference_shape()
    assert faces.is_new(shape)
    noise = np.random.default_rng(0).normal(0, 0.004, (20, 68, 2))
    assert not any(faces.is_new(shape + some) for some in noise)


@pytest.mark.parametrize("part", ["lids", "lips", "mouth", "brows", "jaw", "turn"])
def test_each_limit_can_be_set(part: str) -> None:
    off = ChangeLimits(**dict.fromkeys(("lids", "lips", "mouth", "brows", "jaw", "turn"), 9.0))
    everything = reference_shape().copy()
    for change in CHANGES:
        everything = change(everything)
    for limits, new in ((off, False), (replace(off, **{part: 0.01}), True)):
        faces = DistinctFaces(limits)
        assert faces.is_new(reference_shape())
        assert faces.is_new(everything) == new


def test_without_a_face_the_first_frame_of_a_row_is_new() -> None:
    faces, shape = DistinctFaces(ChangeLimits()), reference_shape()
    assert [faces.is_new(each) for each in (None, None, shape, None, shape)] == [True, False, True, True, False]
    assert not faces.is_new(np.zeros((68, 2)))
    assert not faces.is_new(np.full((68, 2), 7.0) + np.r_[:68, :68].reshape(2, 68).T * 0)
