"""The graph of dlib's face embedding: `anet_type` of dlib's dnn_face_recognition_ex.cpp, as in `networks/embedder.py`.

There it is a torch module that lets gradients through; here it costs no import of torch, and less time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx

from mien.model.graphs.builder import GraphBuilder
from mien.model.graphs.dlib_weights import CHIP_PX, Convolution, DlibWeights

_PIXEL_UNIT = 256.0


class _Grid(NamedTuple):
    tensor: str
    channels: int
    side_px: int


def dlib_embedding_graph(weights: DlibWeights) -> onnx.ModelProto:
    """From chips, batch × 3 × 150 × 150 with values from 0 to 255, to embeddings, batch × 128."""
    graph = GraphBuilder("dlib_face_embedding")
    mean = graph.constant(np.array(weights.mean_rgb, np.float32).reshape(1, 3, 1, 1))
    unit = graph.constant(np.array(1 / _PIXEL_UNIT, np.float32))
    first, *others = weights.convolutions
    chips = _Grid(graph.add("Mul", graph.add("Sub", "chips", mean), unit), 3, CHIP_PX)
    grid = _relu(graph, _convolved(graph, chips, first))
    pooled = graph.add("MaxPool", grid.tensor, kernel_shape=[3, 3], strides=[2, 2])
    grid = _Grid(pooled, grid.channels, (grid.side_px - 3) // 2 + 1)
    for pair in zip(others[::2], others[1::2], strict=True):
        grid = _block(graph, grid, *pair)
    mean_of_grid = graph.add("Flatten", graph.add("GlobalAveragePool", grid.tensor))
    embedding = graph.add("MatMul", mean_of_grid, graph.constant(weights.output))
    return graph.build("chips", (3, CHIP_PX, CHIP_PX), {"embedding": (embedding, weights.output.shape[1:])})


def _block(graph: GraphBuilder, grid: _Grid, first: Convolution, second: Convolution) -> _Grid:
    """relu(conv(relu(conv(x))) + skip); where the first convolution has a stride, the skip is averaged as much."""
    change = _convolved(graph, _relu(graph, _convolved(graph, grid, first)), second)
    skip = grid
    if (stride := first.stride) > 1:
        averaged = graph.add("AveragePool", grid.tensor, kernel_shape=[stride] * 2, strides=[stride] * 2)
        skip = _Grid(averaged, grid.channels, grid.side_px // stride)
    # As dlib's `add_prev` has it: the smaller of each axis is followed by zeros.
    channels, side_px = max(change.channels, skip.channels), max(change.side_px, skip.side_px)
    padded = [_zeros_after(graph, each, channels, side_px) for each in (change, skip)]
    return _relu(graph, _Grid(graph.add("Add", *padded), channels, side_px))


def _zeros_after(graph: GraphBuilder, grid: _Grid, channels: int, side_px: int) -> str:
    missing = [0, channels - grid.channels, side_px - grid.side_px, side_px - grid.side_px]
    if not any(missing):
        return grid.tensor
    return graph.add("Pad", grid.tensor, graph.constant(np.array([0] * 4 + missing, np.int64)))


def _convolved(graph: GraphBuilder, grid: _Grid, layer: Convolution) -> _Grid:
    weight, bias = graph.constant(layer.weight), graph.constant(layer.bias)
    stride, padding_px = layer.stride, layer.padding_px
    made = graph.add("Conv", grid.tensor, weight, bias, strides=[stride] * 2, pads=[padding_px] * 4)
    side_px = (grid.side_px + 2 * padding_px - layer.weight.shape[-1]) // stride + 1
    return _Grid(made, len(layer.weight), side_px)


def _relu(graph: GraphBuilder, grid: _Grid) -> _Grid:
    return grid._replace(tensor=graph.add("Relu", grid.tensor))
