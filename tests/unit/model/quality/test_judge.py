"""Real photos and damaged ones, judged as if they had been generated."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from mien.model.detection.crop import align_face
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.images.codec import decode_rgb, resize_rgb
from mien.model.inference.baselines import spline_warped
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.landmarks.schemes import to_common
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import Judgement, TargetFace, judge_faces, landmark_error, view_sources
from mien.storage import read_source

GATE = GateSettings()
PX = 128


class Face:
    """An aligned sample photo."""

    def __init__(self, detector: DlibDetector, name: str) -> None:
        pixels = decode_rgb(read_source(f"sample:orl/{name}.pgm"))
        found = detector.find(pixels)[:1]
        aligned = align_face(pixels, found[0], AlignmentSettings(size_px=PX))
        self.crop = aligned.crop
        self.points = from_px(to_common(aligned.landmarks_xy, found[0].scheme), PX).astype(np.float64)
        self.embedding = detector.embed(pixels, found)[0]


@pytest.fixture(scope="module")
def detector() -> DlibDetector:
    return DlibDetector()


@pytest.fixture(scope="module")
def face(detector: DlibDetector) -> Callable[[str], Face]:
    return lambda name: Face(detector, name)


def judged(detector: DlibDetector, image: np.ndarray, source: Face, asked: np.ndarray, driver: Face) -> Judgement:
    """An image held against a source, asked points and a driver."""
    (view,) = view_sources(detector, [source.crop], [source.points])
    target = TargetFace(source.embedding, driver.embedding, source.points, asked, view)
    return judge_faces(detector, [image], [target], GATE)[0]


# The person of the first two turns the head and changes the mouth; the third is another person.
SOURCE, SHOWN, DRIVER = "s5/1", "s5/3", "s1/1"


@pytest.fixture(scope="module")
def three(face: Callable[[str], Face]) -> tuple[Face, Face, Face]:
    return face(SOURCE), face(SHOWN), face(DRIVER)


def test_a_real_photo_of_the_person_with_the_asked_expression_is_accepted(
    detector: DlibDetector, three: tuple[Face, Face, Face]
) -> None:
    source, shown, driver = three
    found = judged(detector, shown.crop, source, shown.points, driver)
    assert found.reason is None
    assert found.asked != "little"
    assert found.expression_reached == pytest.approx(1, abs=0.3)
    assert found.expression_error is not None
    assert found.expression_error < 0.02
    assert found.landmarks_xy is not None
    assert len(found.landmarks_xy) == 136


def washed_out(image: np.ndarray) -> np.ndarray:
    """Little contrast and a checker of single pixels, as after a few updates."""
    checker = 14 * ((np.indices(image.shape[:2]).sum(0) % 2) * 2 - 1)
    faded = 128 + (image.astype(np.float64) - 128) * 0.5 + checker[..., None]
    return np.clip(faded, 0, 255).astype(np.uint8)


def colour_checkered(image: np.ndarray) -> np.ndarray:
    """Red and green change by turns from pixel to pixel, the brightness does not: what an early generator draws."""
    checker = ((np.indices(image.shape[:2]).sum(0) % 2) * 2 - 1)[..., None]
    return np.clip(image + checker * np.array([24.0, -12.3, 0.0]), 0, 255).astype(np.uint8)


def test_a_copy_and_what_is_made_of_it_are_rejected(detector: DlibDetector, three: tuple[Face, Face, Face]) -> None:
    source, shown, driver = three
    copy = judged(detector, source.crop, source, shown.points, driver)
    assert copy.expression_reached == 0
    assert copy.reason == "expression reached 0.000 is below 0.300"
    for image in (cv2.GaussianBlur(source.crop, (0, 0), 1.5), washed_out(source.crop)):
        assert judged(detector, image, source, shown.points, driver).reason is not None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 1.5), "sharpness of the face"),
        (washed_out, "sharpness of the face"),
        (colour_checkered, "texture error"),
        (lambda image: np.clip(image.astype(int) * [1.0, 0.6, 0.5], 0, 255).astype(np.uint8), "colour difference"),
    ],
)
def test_the_right_expression_does_not_make_up_for_a_damaged_picture(
    detector: DlibDetector,
    three: tuple[Face, Face, Face],
    damage: Callable[[np.ndarray], np.ndarray],
    reason: str,
) -> None:
    source, shown, driver = three
    found = judged(detector, damage(shown.crop), source, shown.points, driver)
    assert found.reason is not None
    assert found.reason.startswith(reason)


def test_another_person_with_the_asked_expression_is_rejected(
    detector: DlibDetector, three: tuple[Face, Face, Face]
) -> None:
    source, _, driver = three
    found = judged(detector, driver.crop, source, driver.points, driver)
    assert found.reason is not None
    assert found.reason.startswith("identity similarity")
    assert found.driver_similarity == pytest.approx(1, abs=0.2)


def test_a_warp_reaches_most_of_what_is_asked(detector: DlibDetector, three: tuple[Face, Face, Face]) -> None:
    source, shown, driver = three
    image = spline_warped(source.crop[None], source.points[None], shown.points[None])[0]
    found = judged(detector, image, source, shown.points, driver)
    assert found.expression_reached is not None
    assert found.expression_reached > 0.5


def test_no_face_is_a_reason_and_nothing_is_measured(detector: DlibDetector, three: tuple[Face, Face, Face]) -> None:
    source, shown, driver = three
    found = judged(detector, np.full((64, 64, 3), 90, np.uint8), source, shown.points, driver)
    assert (found.identity_similarity, found.reason) == (None, "no face found on the result")


def test_what_cannot_be_compared_with_its_source_is_not_accepted(
    detector: DlibDetector, three: tuple[Face, Face, Face]
) -> None:
    source, shown, driver = three
    assert view_sources(detector, [np.full((PX, PX, 3), 90, np.uint8)], [source.points]) == [None]
    target = TargetFace(source.embedding, driver.embedding, source.points, shown.points, None)
    (found,) = judge_faces(detector, [shown.crop], [target], GATE)
    assert found.reason == "no face found on the source's crop, so the change cannot be measured"
    assert (found.expression_reached, found.texture_error) == (None, None)


def test_the_error_is_a_share_of_the_outer_eye_corners_distance() -> None:
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[45] = [50, 0]
    shifted = landmarks + np.array([3, 4], np.float32)
    assert landmark_error(shifted, "ibug68", landmarks, "ibug68") == pytest.approx(5 / 50)


def test_resizing_keeps_a_face_recognisable(detector: DlibDetector) -> None:
    source = decode_rgb(read_source("sample:orl/s3/1.pgm"))[:92]
    small = resize_rgb(source, 64)
    faces = [detector.find(source)[0], detector.find(small)[0]]
    first, second = detector.embed(source, faces[:1])[0], detector.embed(small, faces[1:])[0]
    assert detector.similarity(first, second) > detector.same_person_similarity
