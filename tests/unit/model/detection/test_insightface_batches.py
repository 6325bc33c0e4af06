"""Several faces at once are what the library makes of each, by small networks whose batch axis is free or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from insightface.app.common import Face
from insightface.model_zoo import get_model
from onnx import TensorProto, helper, numpy_helper

from mien.model.detection.insightface_batches import BATCH, features_each, landmarks_each, takes_batches

FACES = 2 * BATCH + 3


def save(path: Path, side_px: int, outputs: int, batch: int | str) -> None:
    """A convolution and a full layer, whose weights are transposed as those of the real models."""
    random = np.random.default_rng(0)
    grid = side_px // 8
    weights = {
        "kernel": random.normal(size=(16, 3, 9, 9)) / 9,
        "full": random.normal(size=(outputs, 16 * grid * grid)) / grid,
        "bias": random.normal(size=outputs),
    }
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["grid"], strides=[8, 8], pads=[4, 4, 4, 4]),
        helper.make_node("Tanh", ["grid"], ["shown"]),
        helper.make_node("Slice", ["shown", "from", "to", "axes"], ["even"]),
        helper.make_node("Flatten", ["even"], ["flat"]),
        helper.make_node("Gemm", ["flat", "full", "bias"], ["fc1"], transB=1),
    ]
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    for name, values in {"from": [0, 0], "to": [grid, grid], "axes": [2, 3]}.items():
        constants.append(numpy_helper.from_array(np.array(values), name))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, 3, side_px, side_px])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [batch, outputs])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)


@pytest.fixture(params=["None", 1], ids=["any number", "one"])
def batch_axis(request: pytest.FixtureRequest) -> int | str:
    return request.param


@pytest.fixture
def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (90 + number, 120, 3), dtype=np.uint8) for number in range(FACES)]


def loaded(path: Path) -> Any:
    return get_model(str(path), providers=["CPUExecutionProvider"])


def test_landmarks_are_those_of_the_library(tmp_path: Path, batch_axis: int | str, pictures: list[np.ndarray]) -> None:
    save(tmp_path / "2d106det.onnx", 192, 212, batch_axis)
    model = loaded(tmp_path / "2d106det.onnx")
    assert (model.taskname, takes_batches(model)) == ("landmark_2d_106", batch_axis != 1)
    boxes = [np.array([10.5 + n, 7, 60 + n, 80.25 - n]) for n in range(FACES)]
    expected = [model.get(picture, Face(bbox=box)) for picture, box in zip(pictures, boxes, strict=True)]
    assert np.ptp(expected[0], axis=0).min() > 5
    for size in (1, 3, BATCH, FACES):
        parts = [slice(first, first + size) for first in range(0, FACES, size)]
        made = [points for part in parts for points in landmarks_each(model, pictures[part], boxes[part])]
        assert np.array_equal(made, expected)
    assert landmarks_each(model, [], []) == []


def test_embeddings_are_those_of_the_library(tmp_path: Path, batch_axis: int | str, pictures: list[np.ndarray]) -> None:
    save(tmp_path / "w600k.onnx", 112, 512, batch_axis)
    model = loaded(tmp_path / "w600k.onnx")
    assert (model.taskname, takes_batches(model)) == ("recognition", batch_axis != 1)
    crops = [np.resize(picture, (112, 112, 3)) for picture in pictures]
    expected = np.concatenate([model.get_feat(crop) for crop in crops])
    for size in (1, 3, BATCH, FACES):
        made = [features_each(model, crops[first : first + size]) for first in range(0, FACES, size)]
        assert np.array_equal(np.concatenate(made), expected)
