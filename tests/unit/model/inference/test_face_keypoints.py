"""One rule for the heatmaps of both faces of a transfer: drawn from landmarks of one scheme."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.parts import LandmarkScheme
from tests.dense_faces import dense_landmarks
from tests.shapes import in_crop, neutral, opened_mouth

SIDE_PX = 128
CALM, OPEN = in_crop(neutral()), in_crop(opened_mouth(neutral(), 0.3))
SCHEMES: tuple[LandmarkScheme, ...] = ("ibug68", "insightface106", "mediapipe478")


def keypoints(scheme: LandmarkScheme, common: np.ndarray = CALM, gaze: float = 0.0) -> Keypoints:
    landmarks = dense_landmarks(common.astype(np.float64), scheme, gaze)
    return Keypoints(((landmarks + 1) * (SIDE_PX / 2)).astype(np.float32), scheme, SIDE_PX)


@pytest.mark.parametrize("trained_on", SCHEMES)
@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("driver", SCHEMES)
def test_both_faces_have_the_scheme_of_the_training_or_the_common_one(
    trained_on: LandmarkScheme, source: LandmarkScheme, driver: LandmarkScheme
) -> None:
    faces = of_one_scheme(keypoints(source), keypoints(driver), trained_on)
    expected = trained_on if source == driver == trained_on else "ibug68"
    assert {face.scheme for face in faces} == {expected}
    for face, own in zip(faces, (keypoints(source), keypoints(driver)), strict=True):
        np.testing.assert_array_equal(face.points(), own.points())


def test_a_generator_that_does_not_say_its_scheme_gets_that_of_the_faces() -> None:
    dense, common = keypoints("insightface106"), keypoints("ibug68")
    assert of_one_scheme(dense, dense, None) == (dense, dense)
    assert {face.scheme for face in of_one_scheme(dense, common, None)} == {"ibug68"}
    assert {face.scheme for face in of_one_scheme(common, dense, None)} == {"ibug68"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("form", ["points", "contours"])
def test_a_face_asked_for_its_own_points_has_its_own_heatmap(scheme: LandmarkScheme, form: HeatmapForm) -> None:
    own, spec = keypoints(scheme, OPEN, gaze=0.4), HeatmapSpec(form=form)
    asked = asked_keypoints(keypoints(scheme), own, own.points())
    assert asked.scheme == scheme
    assert np.abs(asked.heatmap(spec).astype(int) - own.heatmap(spec)).max() <= 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_target_is_drawn_as_densely_as_its_source(scheme: LandmarkScheme) -> None:
    # Dense landmarks leave no gaps between the dots of the jaw.
    source, driver = keypoints(scheme), keypoints(scheme, OPEN)
    asked = asked_keypoints(source, driver, CALM)
    dots = [face.heatmap(HeatmapSpec())[0].astype(float) for face in (source, asked)]
    assert dots[1].mean() == pytest.approx(dots[0].mean(), rel=0.03)
