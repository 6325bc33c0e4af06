from __future__ import annotations

import numpy as np
import pytest

from mien.model.errors import WeightsError
from mien.model.graphs.mediapipe_files import FULL_RANGE, MESH, folder
from mien.model.graphs.tflite_file import TfliteFile


def read(path: str) -> TfliteFile:
    return TfliteFile((folder() / path).read_bytes())


def test_weights_of_16_bits_come_as_float32_in_their_shape() -> None:
    file = read(MESH.path)
    first = next(node for node in file.nodes if node.operator == "CONV_2D")
    weight = file.constant(first.inputs[1])
    assert (weight.shape, weight.dtype) == ((16, 3, 3, 3), np.float32)
    assert np.array_equal(weight, weight.astype(np.float16).astype(np.float32))
    assert file.shape(file.inputs[0]) == (1, 192, 192, 3)


def test_sparse_weights_are_filled_up_with_zeros() -> None:
    file = read(FULL_RANGE.path)
    pointwise = [node for node in file.nodes if node.operator == "CONV_2D" and file.shape(node.inputs[1])[1] == 1]
    shares = [float((file.constant(node.inputs[1]) == 0).mean()) for node in pointwise]
    assert np.median(shares) > 0.5
    for node in pointwise:
        weight = file.constant(node.inputs[1])
        assert weight.shape == file.shape(node.inputs[1])
        assert weight.any()


def test_operators_that_only_unfold_weights_are_left_out() -> None:
    for path in (MESH.path, FULL_RANGE.path):
        assert not {"DEQUANTIZE", "DENSIFY"} & {node.operator for node in read(path).nodes}


def test_a_tensor_that_is_computed_is_no_constant() -> None:
    file = read(MESH.path)
    with pytest.raises(WeightsError, match="no floats"):
        file.constant(file.outputs[0])


def test_other_files_are_refused() -> None:
    with pytest.raises(WeightsError, match="no TensorFlow Lite file"):
        TfliteFile(b"\x89PNG\r\n\x1a\n")
