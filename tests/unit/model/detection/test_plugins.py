"""Detectors of a team's own: found, checked, and part of the fingerprint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.model.detection.detector import FaceDetector, FoundFace, embed_faces, find_faces
from mien.model.detection.load import check_detector, detector_version, load_detector
from mien.model.detection.plugins import source_hash
from mien.model.errors import DetectorError, ImageError
from tests.own_detector import DarkSquares, Posed
from tests.paths import TESTS

OWN = "tests.own_detector:DarkSquares"


def test_a_class_of_ones_own_is_a_detector() -> None:
    check_detector(OWN)
    detector = load_detector(OWN)
    assert isinstance(detector, FaceDetector)
    assert load_detector(OWN) is detector
    picture = np.full((100, 140, 3), 255, np.uint8)
    picture[20:80, 30:90] = (90, 20, 20)
    (face,) = detector.find(picture)
    assert face.bbox_xyxy == (30, 20, 90, 80)
    assert detector.embed(picture, [face]).shape == (1, 3)
    assert detector.embed(picture, []).shape == (0, 3)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("tests.no_such_file:Detector", r"no module 'tests\.no_such_file'"),
        ("no_such_package.file:Detector", r"no module 'no_such_package\.file'"),
        ("tests.own_detector:Missing", "has no class 'Missing'"),
        ("tests.own_detector:cv2", "has no class 'cv2'"),
        ("tests.own_detector:OnlyFinds", "lacks embed, group_similarity, landmark_scheme, name"),
        ("tests.own_detector:CannotBeMade", r"cannot be loaded \(OSError: no file weights\.onnx\)"),
        ("__main__:Detector", "cannot be loaded by worker processes"),
        ("sys:Detector", "cannot be loaded by worker processes"),
    ],
)
def test_what_is_wrong_with_a_class_is_one_line(spec: str, says: str) -> None:
    with pytest.raises(DetectorError, match=says) as caught:
        load_detector(spec)
    assert "\n" not in str(caught.value)


def test_a_module_in_the_working_folder_is_found_and_its_text_is_part_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    text = (TESTS / "own_detector.py").read_text()
    (tmp_path / "mine_here.py").write_text(text)
    spec = "mine_here:DarkSquares"
    version = detector_version(spec)
    assert version == f"1-{source_hash(spec)}"
    (tmp_path / "mine_here.py").write_text(text + "\n# changed\n")
    assert detector_version(spec) != version
    assert detector_version("dlib") == load_detector("dlib").version


def test_landmarks_of_another_shape_end_the_run_and_an_error_only_the_picture() -> None:
    detector = load_detector("tests.own_detector:Odd")
    with pytest.raises(DetectorError, match=r"landmarks of shape \(5, 2\) as 'ibug68'"):
        find_faces(detector, np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(ImageError, match="the detector failed on it"):
        find_faces(detector, np.full((40, 40, 3), 255, np.uint8))


def test_a_pose_of_other_than_three_angles_ends_the_run() -> None:
    class TwoAngles(Posed):
        def find(self, image: np.ndarray) -> list[FoundFace]:
            (face,) = super().find(image)
            object.__setattr__(face, "pose", (1.0, 2.0))
            return [face]

    dark = np.zeros((40, 40, 3), np.uint8)
    assert find_faces(Posed(), dark)[0].pose == Posed.pose
    with pytest.raises(DetectorError, match="gave a pose of 2 numbers"):
        find_faces(TwoAngles(), dark)


class _Raises(DarkSquares):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def find(self, image: np.ndarray) -> list[FoundFace]:
        raise self._error

    def embed(self, image: np.ndarray, faces: Sequence[FoundFace]) -> np.ndarray:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("odd pixels"), "content"),
        (RuntimeError("dlib: bad shape"), "content"),
        (MemoryError(), "source"),
        (RuntimeError("std::bad_alloc"), "source"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "source"),
        (ConnectionRefusedError("the service is away"), "source"),
        (FileNotFoundError("weights.onnx"), "source"),
    ],
)
def test_what_a_detector_lacks_is_not_taken_for_a_property_of_the_picture(error: Exception, kind: str) -> None:
    pixels, detector = np.zeros((40, 40, 3), np.uint8), _Raises(error)
    with pytest.raises(ImageError) as caught:
        find_faces(detector, pixels)
    assert caught.value.kind == kind
    with pytest.raises(ImageError) as caught:
        embed_faces(detector, pixels, DarkSquares().find(pixels))
    assert caught.value.kind == kind
