"""dlib's embedding as a graph: dlib's own numbers, whatever the batch and whatever runs it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.errors import DeviceError
from mien.model.graphs.dlib_embedding import CHIP_PX, dlib_embedding_graph
from mien.model.graphs.dlib_weights import EMBEDDING, read_dlib_weights, weight_file
from mien.model.graphs.network import CUDA_BATCH, Network, in_fixed_batches
from mien.model.graphs.torch_graph import TorchGraph
from mien.model.networks.embedder import DlibEmbedder


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (7, 3, CHIP_PX, CHIP_PX)).astype(np.float32)


@pytest.fixture(scope="module")
def graph():
    return dlib_embedding_graph(read_dlib_weights(weight_file(EMBEDDING)))


def test_it_gives_what_the_network_of_the_training_gives(graph, chips) -> None:
    with torch.inference_mode():
        expected = DlibEmbedder()(torch.from_numpy(chips)).numpy()
    np.testing.assert_allclose(Network(graph)(chips)[0], expected, atol=1e-5)
    np.testing.assert_allclose(TorchGraph(graph, "cpu")(chips)[0], expected, atol=1e-5)


def test_a_row_has_the_same_bits_in_every_batch(graph, chips) -> None:
    network = Network(graph)
    together = network(chips)[0]
    for size in (1, 2, 3, 5):
        parts = [network(chips[start : start + size])[0] for start in range(0, len(chips), size)]
        assert np.array_equal(np.concatenate(parts), together)


def test_in_fixed_batches_each_row_is_computed_beside_as_many(graph, chips) -> None:
    sizes = list[int]()

    def run(batch: np.ndarray) -> list[np.ndarray]:
        sizes.append(len(batch))
        return [batch[:, 0, 0, 0], batch.mean((2, 3))]

    many = np.concatenate([chips] * 5)
    first, second = in_fixed_batches(run, many)
    assert sizes == [CUDA_BATCH] * 3
    assert np.array_equal(first, many[:, 0, 0, 0])
    assert np.array_equal(second, many.mean((2, 3)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_on_cuda_it_is_the_same_within_rounding_and_to_the_bit_in_every_batch(graph, chips) -> None:
    network = Network(graph, "cuda")
    together = network(chips)[0]
    np.testing.assert_allclose(together, Network(graph)(chips)[0], atol=1e-5)
    assert np.array_equal(np.concatenate([network(chip[None])[0] for chip in chips]), together)
    assert np.array_equal(network(chips[::-1])[0][::-1], together)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "CPU"])
def test_a_device_that_has_no_such_name_is_refused(graph, device) -> None:
    with pytest.raises(DeviceError, match="use cpu, cuda or cuda:N"):
        Network(graph, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused(graph) -> None:
    with pytest.raises(DeviceError, match="there is no CUDA device cuda:1 here"):
        Network(graph, "cuda:1")
