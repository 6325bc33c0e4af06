"""The gate: who a generated face shows, and whether it moved."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.dlib_detector import DlibDetector
from mien.model.images.codec import decode_rgb, resize_rgb
from mien.model.quality.gate import GateSettings, TargetFace, judge_face, landmark_error
from mien.storage import read_source


@pytest.fixture(scope="module")
def detector() -> DlibDetector:
    return DlibDetector()


def photo(name: str) -> np.ndarray:
    return decode_rgb(read_source(f"sample:orl/{name}.pgm"))


def asked(detector: DlibDetector, source: np.ndarray, driver: np.ndarray) -> TargetFace:
    (mine, *_), (theirs, *_) = detector.find(source), detector.find(driver)
    return TargetFace(
        detector.embed(source, [mine])[0], detector.embed(driver, [theirs])[0], theirs.landmarks_xy, theirs.scheme
    )


def test_a_photo_of_the_source_with_the_asked_expression_is_accepted(detector: DlibDetector) -> None:
    source, other = photo("s1/1"), photo("s2/1")
    face = detector.find(source)[0]
    target = asked(detector, source, other)
    perfect = TargetFace(target.source_embedding, target.driver_embedding, face.landmarks_xy, face.scheme)
    judged = judge_face(detector, source, perfect, GateSettings())
    assert judged.reason is None
    assert judged.identity_similarity == pytest.approx(1, abs=1e-4)
    assert judged.expression_error == pytest.approx(0, abs=1e-6)
    assert judged.driver_similarity is not None
    assert judged.driver_similarity < 0.4


def test_another_person_is_rejected_for_the_identity(detector: DlibDetector) -> None:
    source, driver = photo("s1/1"), photo("s2/1")
    judged = judge_face(detector, driver, asked(detector, source, driver), GateSettings())
    assert judged.reason is not None
    assert judged.reason.startswith("identity similarity")


def test_an_unchanged_copy_is_rejected_for_the_expression(detector: DlibDetector) -> None:
    source = photo("s1/1")
    face = detector.find(source)[0]
    moved = face.landmarks_xy.copy()
    moved[48:] += [0, 12]  # the mouth, asked for elsewhere
    target = TargetFace(detector.embed(source, [face])[0], np.zeros(128, np.float32), moved, face.scheme)
    judged = judge_face(detector, source, target, GateSettings())
    assert judged.reason is not None
    assert judged.reason.startswith("expression error")


def test_no_face_is_a_reason(detector: DlibDetector) -> None:
    source = photo("s1/1")
    judged = judge_face(detector, np.full((64, 64, 3), 90, np.uint8), asked(detector, source, source), GateSettings())
    assert (judged.identity_similarity, judged.reason) == (None, "no face found on the result")


def test_the_error_is_a_share_of_the_outer_eye_corners_distance() -> None:
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[45] = [50, 0]
    shifted = landmarks + np.array([3, 4], np.float32)
    assert landmark_error(shifted, "ibug68", landmarks, "ibug68") == pytest.approx(5 / 50)


def test_resizing_keeps_a_face_recognisable(detector: DlibDetector) -> None:
    source = photo("s3/1")[:92]
    small = resize_rgb(source, 64)
    faces = [detector.find(source)[0], detector.find(small)[0]]
    first, second = detector.embed(source, faces[:1])[0], detector.embed(small, faces[1:])[0]
    assert detector.similarity(first, second) > detector.same_person_similarity
