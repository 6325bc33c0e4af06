"""Dense landmarks that are asked for: they go along with the 68, lids and gaze included."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.expression.dense_landmarks import asked_landmarks, carried
from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.parts import LandmarkScheme
from mien.model.landmarks.schemes import part_indices, to_common
from tests.dense_faces import dense_landmarks
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth

DENSE: tuple[LandmarkScheme, ...] = ("insightface106", "mediapipe478")
CALM, OPEN, SHUT = in_crop(neutral()), in_crop(opened_mouth(neutral(), 0.3)), in_crop(closed_eyes(neutral()))
OTHER = in_crop(narrow_mouth(neutral(), 0.7))
PX = 32.0
"""Pixels of a heatmap of 64 for a unit."""


def dense(common: np.ndarray, scheme: LandmarkScheme, gaze: float = 0.0) -> np.ndarray:
    return dense_landmarks(common, scheme, gaze)[None].astype(np.float64)


def position(landmarks: np.ndarray) -> float:
    """Where the left iris stands between the corners of its eye, 0 to 1."""
    lids = landmarks[list(contours("mediapipe478")["left_eye"][0].indices), 0]
    return float((landmarks[irises("mediapipe478")["left_eye"].centre, 0] - lids.min()) / np.ptp(lids))


@pytest.mark.parametrize("scheme", DENSE)
def test_a_face_that_is_asked_for_itself_keeps_its_landmarks(scheme: LandmarkScheme) -> None:
    own = dense(OPEN, scheme, gaze=0.3)
    assert np.array_equal(asked_landmarks(own, own, scheme, to_common(own, scheme)), own)


@pytest.mark.parametrize("scheme", DENSE)
def test_the_common_landmarks_come_to_where_they_are_asked(scheme: LandmarkScheme) -> None:
    own = dense(OPEN, scheme)
    asked = np.stack([CALM + 0.02]).astype(np.float64)
    found = to_common(carried(own, scheme, asked), scheme)
    assert np.median(np.linalg.norm(found - asked, axis=-1)) * PX < 0.05
    gaps = [points[0, [37, 38, 43, 44], 1] - points[0, [41, 40, 47, 46], 1] for points in (found, asked)]
    assert np.abs(gaps[0] - gaps[1]).max() * PX < 0.1


def test_a_larger_face_takes_everything_along() -> None:
    own = dense(CALM, "mediapipe478", gaze=-0.4)
    larger = carried(own, "mediapipe478", to_common(own, "mediapipe478") * 1.2 + 0.1)
    np.testing.assert_allclose(larger, own * 1.2 + 0.1, atol=1e-3)


def test_the_gaze_follows_the_driver_and_stays_where_eyes_do_not_move() -> None:
    source, driver = dense(CALM, "mediapipe478", gaze=-0.4), dense(OTHER, "mediapipe478", gaze=0.4)
    asked = np.stack([OPEN]).astype(np.float64)
    both = asked_landmarks(source, driver, "mediapipe478", asked)[0]
    assert position(both) == pytest.approx(position(driver[0]), abs=0.02)
    mouth = asked_landmarks(source, driver, "mediapipe478", asked, ("mouth", "pose"))[0]
    assert position(mouth) == pytest.approx(position(source[0]), abs=0.02)
    lips = list(part_indices("mediapipe478")["inner_lips"])
    assert np.array_equal(mouth[lips], both[lips])


def test_shut_eyes_stay_shut() -> None:
    landmarks = carried(dense(SHUT, "mediapipe478"), "mediapipe478", np.stack([SHUT * 1.1]).astype(np.float64))[0]
    lids = landmarks[list(contours("mediapipe478")["left_eye"][0].indices)]
    assert np.abs(lids[1:8] - lids[:8:-1]).max() * PX < 0.1


def test_a_face_is_the_same_alone_and_in_a_batch() -> None:
    faces = np.concatenate([dense(common, "mediapipe478") for common in (CALM, OPEN, SHUT, OTHER)])
    asked = np.stack([OPEN, CALM, OTHER, SHUT]).astype(np.float64)
    together = carried(faces, "mediapipe478", asked)
    for n in range(4):
        assert np.array_equal(together[n : n + 1], carried(faces[n : n + 1], "mediapipe478", asked[n : n + 1]))


def test_landmarks_that_coincide_are_carried() -> None:
    own = dense(OPEN, "mediapipe478")
    own[:, list(part_indices("mediapipe478")["inner_lips"])] = own[:, [13]]
    assert np.isfinite(carried(own, "mediapipe478", np.stack([CALM]).astype(np.float64))).all()


def test_the_common_scheme_is_asked_for_as_it_is() -> None:
    asked = np.stack([OPEN]).astype(np.float64)
    assert np.array_equal(asked_landmarks(CALM[None], CALM[None], "ibug68", asked), asked)
