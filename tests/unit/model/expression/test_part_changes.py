"""One part shows another expression, far enough to be seen, and nothing else moves."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from mien.model.expression.part_changes import (
    LEAST_BROWS,
    LEAST_GAZE,
    LEAST_LIDS,
    LEAST_MOUTH,
    ChangedPart,
    changeable,
    with_changed_part,
    with_shut_eyes,
)
from mien.model.landmarks.gaze import gaze
from mien.model.landmarks.parts import LandmarkScheme, Part
from mien.model.landmarks.schemes import eye_opening, interocular_px, mouth_opening, part_indices
from tests.dense_faces import dense_landmarks
from tests.drawn_faces import drawn_faces

SCHEMES = get_args(LandmarkScheme)
COMMON = drawn_faces(people=2, each=3).points
PARTS_OF: dict[ChangedPart, tuple[Part, ...]] = {
    "lids": ("left_eye", "right_eye"),
    "mouth": ("outer_lips", "inner_lips"),
    "brows": ("left_brow", "right_brow"),
    "gaze": ("left_eye", "right_eye"),
}


def faces(scheme: LandmarkScheme) -> np.ndarray:
    return np.stack([dense_landmarks(points, scheme) for points in COMMON]).astype(np.float64)


def indices(scheme: LandmarkScheme, part: ChangedPart) -> list[int]:
    return [index for of in PARTS_OF[part] for index in part_indices(scheme)[of]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_the_landmarks_of_the_part_move(scheme: LandmarkScheme) -> None:
    own, other, *_ = faces(scheme)
    for part in changeable(scheme):
        for seed in range(10):
            changed = with_changed_part(own, other, scheme, part, np.random.default_rng(seed))
            moved = np.flatnonzero((changed != own).any(-1))
            assert set(moved) <= set(indices(scheme, part))
            assert len(moved)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_change_is_far_enough_to_be_seen_even_where_the_other_photo_is_the_same(scheme: LandmarkScheme) -> None:
    own = faces(scheme)[0]
    unit = interocular_px(own, scheme)
    for seed in range(20):
        random = np.random.default_rng(seed)
        changed = {part: with_changed_part(own, own, scheme, part, random) for part in changeable(scheme)}
        openings = [np.mean(eye_opening(points, scheme)) for points in (own, changed["lids"])]
        assert abs(openings[1] - openings[0]) > 0.8 * LEAST_LIDS
        least_of: dict[ChangedPart, float] = {"mouth": LEAST_MOUTH, "brows": LEAST_BROWS}
        for part, least in least_of.items():
            of_part = indices(scheme, part)
            assert np.linalg.norm(changed[part] - own, axis=-1)[of_part].max() > 0.8 * least * unit
        if "gaze" in changed:
            before, after = gaze(own, scheme), gaze(changed["gaze"], scheme)
            assert before is not None
            assert after is not None
            assert np.linalg.norm(after - before, axis=-1).min() > 0.4 * LEAST_GAZE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lids_close_and_open_and_so_do_lips(scheme: LandmarkScheme) -> None:
    own, other, *_ = faces(scheme)
    random = np.random.default_rng(0)
    eyes = [np.mean(eye_opening(with_changed_part(own, other, scheme, "lids", random), scheme)) for _ in range(60)]
    lips = [mouth_opening(with_changed_part(own, other, scheme, "mouth", random), scheme) for _ in range(60)]
    own_eyes, own_lips = np.mean(eye_opening(own, scheme)), mouth_opening(own, scheme)
    assert min(eyes) < 0.4 * own_eyes
    assert max(eyes) > 1.1 * own_eyes
    assert max(lips) > own_lips + 0.1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shut_eyes_have_no_opening_and_keep_their_corners(scheme: LandmarkScheme) -> None:
    own = faces(scheme)[0]
    shut = with_shut_eyes(own, scheme)
    assert np.mean(eye_opening(shut, scheme)) < 0.05 * np.mean(eye_opening(own, scheme))
    assert mouth_opening(shut, scheme) == mouth_opening(own, scheme)


def test_a_part_of_another_photo_does_not_bring_its_size_or_place_along() -> None:
    own, other, *_ = faces("mediapipe478")
    for seed in range(10):
        plain, moved = (
            with_changed_part(own, donor, "mediapipe478", "brows", np.random.default_rng(seed))
            for donor in (other, 1.3 * other + 0.2)
        )
        np.testing.assert_allclose(plain, moved, atol=1e-9)


def test_a_scheme_without_irises_has_no_gaze() -> None:
    assert changeable("ibug68") == ("lids", "mouth", "brows")
    assert "gaze" in changeable("mediapipe478")
