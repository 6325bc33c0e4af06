from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest

from mien.model.detection.crop import align_face
from mien.model.detection.dlib_detector import DETECTOR, DlibDetector
from mien.model.detection.landmark_ensemble import landmarks_in_windows, window_of_box
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError
from mien.model.graphs import dlib_weights
from mien.model.landmarks.alignment import apply_transform
from mien.model.landmarks.reference import AlignmentSettings, reference_five_points
from mien.model.landmarks.schemes import five_points, interocular_px
from tests.sample_faces import orl_photos


@pytest.fixture(scope="module")
def detector() -> DlibDetector:
    found = load_detector("dlib")
    assert isinstance(found, DlibDetector)
    return found


def test_faces_are_found_on_sample_photos_and_on_their_crops(detector: DlibDetector) -> None:
    photos = orl_photos(40)
    found = [detector.find(photo) for photo in photos]
    assert sum(len(faces) == 1 for faces in found) >= 39
    crops = [align_face(p, f[0], AlignmentSettings(size_px=128)).crop for p, f in zip(photos, found, strict=True) if f]
    assert sum(bool(detector.find(crop)) for crop in crops) >= 39


def test_landmarks_of_a_grey_window_are_those_of_a_coloured_one(detector: DlibDetector) -> None:
    """dlib's predictor takes the mean of the colours."""
    photo = orl_photos(40)[0] // np.array([1, 2, 3], np.uint8)
    window = window_of_box(detector.find(photo)[0].bbox_xyxy)
    grey = detector.landmarks_in(photo, window)
    coloured = landmarks_in_windows(photo, window, detector._predict)
    apart = np.linalg.norm(grey.points_xy - coloured.points_xy, axis=1).mean()
    # Measured: 0.004. Rounding alone tells them apart.
    assert apart / interocular_px(grey.points_xy, "ibug68") < 0.01


def test_landmarks_lie_on_the_face_that_was_found(detector: DlibDetector) -> None:
    for photo in orl_photos(40)[:8]:
        (face,) = detector.find(photo)
        left, top, right, bottom = face.bbox_xyxy
        nose = five_points(face.landmarks_xy, face.scheme)[2]
        assert face.scheme == "ibug68"
        assert left < nose[0] < right
        assert top < nose[1] < bottom
        assert 0.3 < interocular_px(face.landmarks_xy, face.scheme) / (right - left) < 0.9


@pytest.mark.parametrize("factor", [2, 6])
def test_landmarks_scale_with_the_photo(detector: DlibDetector, factor: int) -> None:
    photo = orl_photos(40)[0]
    large = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    (small_face,), (large_face,) = detector.find(photo), detector.find(large)
    apart = np.linalg.norm(large_face.landmarks_xy / factor - small_face.landmarks_xy, axis=1).mean()
    assert apart / interocular_px(small_face.landmarks_xy, "ibug68") < 0.05


def test_crops_are_aligned_on_the_reference(detector: DlibDetector) -> None:
    settings = AlignmentSettings(size_px=128)
    photo = orl_photos(40)[1]
    face = detector.find(photo)[0]
    aligned = align_face(photo, face, settings)
    assert aligned.crop.shape == (128, 128, 3)
    assert np.allclose(aligned.landmarks_xy, apply_transform(aligned.source_to_crop, face.landmarks_xy), atol=1e-3)
    apart = five_points(aligned.landmarks_xy, face.scheme) - reference_five_points(settings)
    assert np.linalg.norm(apart, axis=1).mean() < 8
    # Looked at anew, the crop shows the landmarks where the transform put them.
    again = detector.find(aligned.crop)[0].landmarks_xy
    assert np.linalg.norm(again - aligned.landmarks_xy, axis=1).mean() < 0.06 * interocular_px(again, "ibug68")


def test_embeddings_tell_people_apart(detector: DlibDetector) -> None:
    photos = orl_photos(40)
    first, other = (photo for photo in photos[:2])
    faces = detector.find(first)
    one = detector.embed(first, faces)
    mirrored = np.ascontiguousarray(first[:, ::-1])
    same = detector.embed(mirrored, detector.find(mirrored))
    different = detector.embed(other, detector.find(other))
    assert one.shape == (1, 128)
    assert detector.similarity(one, one) == pytest.approx(1)
    assert detector.similarity(one, same) > detector.same_person_similarity
    assert detector.similarity(one, same) > detector.similarity(one, different)
    assert detector.embed(first, []).shape == (0, 128)


def test_the_largest_face_comes_first(detector: DlibDetector) -> None:
    first, second = orl_photos(40)[2:4]
    twice = cv2.resize(second, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    sheet = np.full((twice.shape[0], 92 + 40 + twice.shape[1], 3), 128, np.uint8)
    sheet[40 : 40 + first.shape[0], :92] = first
    sheet[:, 132:] = twice
    found = detector.find(sheet)
    assert found[0].bbox_xyxy[0] > 132
    assert [face.area_px for face in found] == sorted((face.area_px for face in found), reverse=True)


def test_no_face_no_rows(detector: DlibDetector) -> None:
    assert detector.find(np.full((90, 120, 3), 127, np.uint8)) == []
    assert detector.find(np.zeros((1, 1, 3), np.uint8)) == []


def test_version_names_the_weights(detector: DlibDetector) -> None:
    assert detector.version.startswith("dlib-")
    assert detector.version == DlibDetector().version
    licences = detector.weights_licences
    assert {name for name, licence in licences.items() if licence.commercial} == {
        DETECTOR,
        dlib_weights.EMBEDDING,
    }
    assert set(licences) == {DETECTOR, dlib_weights.LANDMARKS, dlib_weights.EMBEDDING}


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_weights, "find_spec", lambda name: importlib.util.find_spec("no_such_package"))
    with pytest.raises(DetectorError, match="pip install 'mien"):
        DlibDetector()
