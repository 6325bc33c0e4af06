"""What is loaded by name, and what is loaded at once."""

from __future__ import annotations

import pytest

from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.load import (
    _loaded,
    check_detector,
    computes_on_device,
    load_detector,
    load_ready_detector,
    uses_mediapipe,
)
from mien.model.devices import compute_on


def test_a_ready_detector_is_the_one_of_the_process_with_its_weights() -> None:
    _loaded.cache_clear()
    detector = load_ready_detector("dlib")
    assert detector is load_detector("dlib")
    assert isinstance(detector, DlibDetector)
    assert {"_detector", "_predictor"} <= vars(detector).keys()


def test_one_that_loads_nothing_beforehand_is_ready_as_it_is() -> None:
    spec = "tests.own_detector:DarkSquares"
    assert load_ready_detector(spec) is load_detector(spec)


@pytest.mark.parametrize(
    ("spec", "uses"),
    [
        ("mediapipe", True),
        ("insightface:buffalo_l+mediapipe", True),
        ("insightface:/packs/of mediapipe", False),
        ("insightface:buffalo_l", False),
        ("dlib", False),
    ],
)
def test_which_detectors_need_the_files_of_mediapipe(spec: str, uses: bool) -> None:
    check_detector(spec)
    assert uses_mediapipe(spec) == uses


@pytest.mark.parametrize(
    ("spec", "cuda_build", "on_cpu", "on_cuda"),
    [
        ("mediapipe", False, True, True),
        ("dlib", True, False, False),
        ("tests.own_detector:DarkSquares", True, False, False),
        ("insightface:buffalo_l", False, True, False),
        ("insightface:buffalo_l+mediapipe", False, True, False),
        ("insightface:buffalo_l+mediapipe", True, True, True),
    ],
)
def test_a_detector_that_keeps_to_the_cpu_needs_more_than_a_process_for_each_gpu(
    spec: str, cuda_build: bool, on_cpu: bool, on_cuda: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = ["CUDAExecutionProvider"] * cuda_build + ["CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    former = compute_on(["cpu"])
    assert computes_on_device(spec) == on_cpu
    compute_on(["cuda:0", "cuda:1"])
    assert computes_on_device(spec) == on_cuda
    compute_on(former)
