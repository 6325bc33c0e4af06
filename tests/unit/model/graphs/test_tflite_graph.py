"""The networks of MediaPipe as graphs: the numbers of a plain reading of their files, whatever the batch."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from mien.model.errors import WeightsError
from mien.model.graphs.mediapipe_files import FILES, NetworkFile, folder
from mien.model.graphs.network import Network
from mien.model.graphs.tflite_graph import graph_of_tflite
from mien.model.graphs.torch_graph import TorchGraph
from tests.tflite_reference import run_tflite

FAR_PX = 4e-4
"""Of coordinates up to 192: rounding of float32, summed in another order."""


def pixels(file: NetworkFile) -> np.ndarray:
    """Smooth pictures, as photos are, and noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    smooth = np.kron(coarse, np.ones((1, file.side_px // 8, file.side_px // 8, 1), np.float32))
    return np.concatenate([smooth, rng.integers(0, 256, (2, file.side_px, file.side_px, 3)).astype(np.float32)])


def data(file: NetworkFile) -> bytes:
    return (folder() / file.path).read_bytes()


def graph(file: NetworkFile) -> onnx.ModelProto:
    return graph_of_tflite(data(file), file.outputs, scale=file.scale, shift=file.shift)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_computes_what_the_file_says(file: NetworkFile) -> None:
    batch = pixels(file)
    by_runtime, by_torch = Network(graph(file))(batch), TorchGraph(graph(file), "cpu")(batch)
    for index, image in enumerate(batch):
        expected = run_tflite(data(file), image * np.float32(file.scale) + np.float32(file.shift))
        assert len(expected) == len(by_runtime) == len(by_torch) == len(file.outputs)
        for ours, torchs, wanted in zip(by_runtime, by_torch, expected, strict=True):
            assert ours[index].shape == wanted.shape
            np.testing.assert_allclose(ours[index], wanted, atol=FAR_PX)
            np.testing.assert_allclose(torchs[index], wanted, atol=FAR_PX)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_row_has_the_same_bits_in_every_batch(file: NetworkFile) -> None:
    network, batch = Network(graph(file)), pixels(file)
    together = network(batch)
    for size in (1, 2, 3):
        parts = [network(batch[start : start + size]) for start in range(0, len(batch), size)]
        for index, output in enumerate(together):
            assert np.array_equal(np.concatenate([part[index] for part in parts]), output)


def test_what_is_no_such_file_is_refused() -> None:
    with pytest.raises(WeightsError, match="no TensorFlow Lite file"):
        graph_of_tflite(b"nothing of the kind", ("a",), scale=1.0, shift=0.0)
