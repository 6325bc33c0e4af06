from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError


@pytest.mark.parametrize("spec", ["opencv", "", "dlib:large", "insightface", "insightface:", "insightface:+mediapipe"])
def test_an_unknown_detector_is_answered_with_those_there_are(spec: str) -> None:
    with pytest.raises(
        DetectorError,
        match=r"use mediapipe, dlib, insightface:PACK_OR_FOLDER, insightface:PACK_OR_FOLDER\+mediapipe, or",
    ):
        load_detector(spec)


def test_a_detector_is_loaded_once() -> None:
    detector = load_detector("dlib")
    assert isinstance(detector, FaceDetector)
    assert detector.name == "dlib"
    assert load_detector("dlib") is detector


def test_area() -> None:
    assert FoundFace((1.0, 2.0, 4.0, 7.0), 1.0, np.zeros((68, 2), np.float32), "ibug68").area_px == 15
