"""TensorFlow Lite files as ONNX graphs: the float networks that MediaPipe's face models are.

TensorFlow Lite keeps images with the channels last, ONNX with the channels first. So the graph turns its input once,
works with the channels first, and turns back where the shape changes. Weights of 16 bits are widened, sparse ones
filled up with zeros. The batch, of one in the file, is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx

from mien.model.errors import WeightsError
from mien.model.graphs.builder import GraphBuilder
from mien.model.graphs.tflite_file import Node, TfliteFile, schema

_CHANNELS_FIRST, _CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_AXES = (0, 2, 3, 1)
"""For each axis of TensorFlow Lite's images where it is in ONNX's."""
_IMAGE = 4
"""Axes of a batch of images."""
_BATCH = 0
"""A side of a shape that stays as it is: only the batch's."""


class _Tensor(NamedTuple):
    """A tensor of the graph."""

    name: str
    shape: tuple[int, ...]
    """As TensorFlow Lite has it, the channels last."""


def graph_of_tflite(data: bytes, outputs: Sequence[str], *, scale: float, shift: float) -> onnx.ModelProto:
    """The graph of a TensorFlow Lite file.

    Args:
        data: The file.
        outputs: What its outputs shall be called, in their order.
        scale: Pixels, from 0 to 255, are multiplied by this first.
        shift: Then this is added.

    Returns:
        A graph from `pixels`, batch × height × width × 3, to outputs with the shapes of the file, the batch first.

    Raises:
        WeightsError: not such a file, or with operators that are not known here.
    """
    file = TfliteFile(data)
    return _Conversion(file).graph(outputs, scale, shift)


class _Conversion:
    """The graph as it grows."""

    def __init__(self, file: TfliteFile) -> None:
        self._file = file
        self._graph = GraphBuilder("tflite")
        self._known: dict[int, _Tensor] = {}

    def graph(self, outputs: Sequence[str], scale: float, shift: float) -> onnx.ModelProto:
        """See `graph_of_tflite`."""
        (entry,) = self._file.inputs
        shape = self._file.shape(entry)
        scaled = self._add("Mul", "pixels", self._constant(np.array(scale, np.float32)))
        shifted = self._add("Add", scaled, self._constant(np.array(shift, np.float32)))
        self._known[entry] = _Tensor(self._add("Transpose", shifted, perm=_CHANNELS_FIRST), shape)
        for node in self._file.nodes:
            if node.operator not in _OPERATORS:
                raise WeightsError(f"the operator {node.operator} of a TensorFlow Lite file is not known")
            self._known[node.output] = _Tensor(_OPERATORS[node.operator](self, node), self._file.shape(node.output))
        made = [self._known[index] for index in self._file.outputs]
        named = {
            name: (self._channels_last(tensor), tensor.shape[1:]) for name, tensor in zip(outputs, made, strict=True)
        }
        return self._graph.build("pixels", shape[1:], named)

    def convolution(self, node: Node) -> str:
        """CONV_2D, whose weights are out × height × width × in."""
        image, weight, options = (
            self._input(node),
            self._file.constant(node.inputs[1]),
            node.options(schema.Conv2DOptions),
        )
        return self._convolved(node, image, weight.transpose(_CHANNELS_FIRST), options, groups=1)

    def depthwise(self, node: Node) -> str:
        """DEPTHWISE_CONV_2D, whose weights are 1 × height × width × channels."""
        image, weight = self._input(node), self._file.constant(node.inputs[1])
        options = node.options(schema.DepthwiseConv2DOptions)
        return self._convolved(node, image, weight.transpose(3, 0, 1, 2), options, groups=image.shape[-1])

    def _convolved(self, node: Node, image: _Tensor, weight: np.ndarray, options: Any, groups: int) -> str:
        _refuse(options.DilationHFactor() != 1 or options.DilationWFactor() != 1, "dilated convolutions")
        strides, sides = [options.StrideH(), options.StrideW()], weight.shape[2:]
        bias = self._file.constant(node.inputs[2])
        pads = _pads(image.shape[1:3], sides, strides, options.Padding())
        weights = [self._constant(weight), self._constant(bias)]
        made = self._add("Conv", image.name, *weights, strides=strides, pads=pads, group=groups)
        return self._activated(made, options)

    def max_pool(self, node: Node) -> str:
        """MAX_POOL_2D."""
        image, options = self._input(node), node.options(schema.Pool2DOptions)
        sides, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = _pads(image.shape[1:3], sides, strides, options.Padding())
        made = self._add("MaxPool", image.name, kernel_shape=sides, strides=strides, pads=pads)
        return self._activated(made, options)

    def add(self, node: Node) -> str:
        """ADD of two images."""
        first, second = (self._known[index].name for index in node.inputs)
        return self._activated(self._add("Add", first, second), node.options(schema.AddOptions))

    def relu(self, node: Node) -> str:
        """RELU."""
        return self._add("Relu", self._input(node).name)

    def prelu(self, node: Node) -> str:
        """PRELU with a slope for each channel, as slope · x + (1 − slope) · relu(x).

        ONNX has PRelu too. But ONNX Runtime keeps channels in blocks from one convolution to the next, and not across
        a PRelu: with it these networks take three times as long.
        """
        x, slope = self._input(node).name, self._file.constant(node.inputs[1])
        _refuse(slope.shape[:2] != (1, 1), "slopes that differ from pixel to pixel")
        scaled, rest = (self._scaled(tensor, by) for tensor, by in ((x, slope), (self._add("Relu", x), 1 - slope)))
        return self._add("Add", scaled, rest)

    def _scaled(self, image: str, factors: np.ndarray) -> str:
        """Each channel times its factor, as a convolution of one pixel."""
        weight = factors.reshape(-1, 1, 1, 1)
        return self._add("Conv", image, self._constant(weight), group=len(weight))

    def pad(self, node: Node) -> str:
        """PAD by zeros: before and after each axis."""
        before_after = self._file.constant(node.inputs[1])
        before, after = (before_after[list(_CHANNELS_FIRST), side] for side in (0, 1))
        pads = np.concatenate([before, after]).astype(np.int64)
        return self._add("Pad", self._input(node).name, self._constant(pads))

    def resize(self, node: Node) -> str:
        """RESIZE_BILINEAR by whole factors."""
        image, options = self._input(node), node.options(schema.ResizeBilinearOptions)
        _refuse(options.AlignCorners() or not options.HalfPixelCenters(), "bilinear scaling from centre to centre")
        factors = np.array(self._file.shape(node.output)[1:3]) / image.shape[1:3]
        scales = self._constant(np.array([1, 1, *factors], np.float32))
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self._add("Resize", image.name, "", scales, **how)

    def depth_to_space(self, node: Node) -> str:
        """DEPTH_TO_SPACE."""
        block = node.options(schema.DepthToSpaceOptions).BlockSize()
        return self._add("DepthToSpace", self._input(node).name, blocksize=block, mode="DCR")

    def reshape(self, node: Node) -> str:
        """RESHAPE of all axes but the batch's, into what is no image or one of a single pixel."""
        shape = self._file.shape(node.output)
        wanted = shape[1:]
        if len(shape) == _IMAGE:
            _refuse(shape[1:3] != (1, 1), "reshaping into images")
            wanted = (shape[3], 1, 1)
        _refuse(shape[0] != 1, "reshaping of the batch")
        return self._add("Reshape", self._channels_last(self._input(node)), self._whole(_BATCH, *wanted))

    def whole_slice(self, node: Node) -> str:
        """STRIDED_SLICE that leaves nothing out."""
        _refuse(self._input(node).shape != self._file.shape(node.output), "slices")
        return self._input(node).name

    def multiply(self, node: Node) -> str:
        """MUL of what is no image by a constant."""
        _refuse(len(self._input(node).shape) == _IMAGE, "products of images")
        return self._add("Mul", self._input(node).name, self._constant(self._file.constant(node.inputs[1])))

    def crop_matrix(self, node: Node) -> str:
        """Landmarks2TransformMatrix: from the pixels of a crop to where the landmarks are.

        The crop is upright when the line between two landmarks is level, and frames a subset of them with some room.
        The result is 4 × 4, for column vectors (x, y, 0, 1).
        """
        options = node.custom_options()
        _refuse(options["target_rotation_radians"] != 0, "crops that are tilted")
        points = self._picked(self._input(node).name, [0, 1], axis=2)
        left, right = (self._picked(points, [options[f"{side}_rotation_idx"]], axis=1) for side in ("left", "right"))
        along = self._add("Sub", right, left)
        along = self._add("Div", along, self._add("ReduceL2", along, axes=[2], keepdims=1))
        # Row vectors times this are turned so that the line is level.
        spread = self._constant(np.array([[1, 0, 0, 1], [0, -1, 1, 0]], np.float32))
        level = self._add("Reshape", self._add("MatMul", along, spread), self._whole(_BATCH, 2, 2))
        tilted = self._add("Transpose", level, perm=(0, 2, 1))
        subset = self._add("MatMul", self._picked(points, list(options["subset_idxs"]), axis=1), level)
        low, high = (self._add(f"Reduce{which}", subset, axes=[1], keepdims=1) for which in ("Min", "Max"))
        middle = self._scaled_by(self._add("Add", low, high), 0.5)
        width, height = options["output_width"], options["output_height"]
        steps = self._scaled_by(
            self._add("Sub", high, low), np.array([options["scale_x"] / width, options["scale_y"] / height])
        )
        linear = self._add("Mul", self._add("Transpose", steps, perm=(0, 2, 1)), tilted)
        centre = self._constant(np.array([[width / 2, height / 2]], np.float32))
        shift = self._add("Sub", self._add("MatMul", middle, tilted), self._add("MatMul", centre, linear))
        rows = self._add("Transpose", self._add("Concat", linear, shift, axis=1), perm=(0, 2, 1))
        return self._squared(rows)

    def _squared(self, rows: str) -> str:
        """2 × 3 matrices as 4 × 4 ones: the third column becomes the fourth, the other axes stay as they are."""
        columns = self._constant(np.eye(4, dtype=np.float32)[[0, 1, 3]])
        below = self._constant(np.eye(4, dtype=np.float32)[:, :2])
        rest = self._constant(np.diag([0, 0, 1, 1]).astype(np.float32))
        return self._add("Add", self._add("MatMul", below, self._add("MatMul", rows, columns)), rest)

    def crop(self, node: Node) -> str:
        """TransformTensorBilinear: the pixels of a crop, between those of an image.

        Outside the image are zeros, here as there. Nearer to the border than half a pixel of the features these blend
        in, there they begin; a face in the middle of the picture has its eyes and lips nowhere near.
        """
        image, (height, width) = self._input(node), self._file.shape(node.output)[1:3]
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        pixels = self._constant(np.stack([columns.ravel(), rows.ravel()], axis=-1).astype(np.float32))
        at = self._transformed(pixels, self._known[node.inputs[1]].name)
        shares = self._scaled_by(at, 2 / np.array([image.shape[2], image.shape[1]]))
        grid = self._add("Sub", shares, self._constant(np.array(1, np.float32)))
        grid = self._add("Reshape", grid, self._whole(_BATCH, height, width, 2))
        return self._add("GridSample", image.name, grid, mode="bilinear", padding_mode="zeros", align_corners=0)

    def transform_landmarks(self, node: Node) -> str:
        """TransformLandmarks: points times a 4 × 4 matrix."""
        return self._transformed(self._input(node).name, self._known[node.inputs[1]].name)

    def _transformed(self, points: str, matrix: str) -> str:
        rows = self._add("Transpose", self._picked(matrix, [0, 1], axis=1), perm=(0, 2, 1))
        turned = self._add("MatMul", points, self._picked(rows, [0, 1], axis=1))
        return self._add("Add", turned, self._picked(rows, [3], axis=1))

    def _picked(self, tensor: str, indices: list[int], axis: int) -> str:
        return self._add("Gather", tensor, self._whole(*indices), axis=axis)

    def _scaled_by(self, tensor: str, factors: float | np.ndarray) -> str:
        return self._add("Mul", tensor, self._constant(np.asarray(factors, np.float32)))

    def _whole(self, *numbers: int) -> str:
        return self._constant(np.array(numbers, np.int64))

    def concatenation(self, node: Node) -> str:
        """CONCATENATION."""
        parts = [self._known[index] for index in node.inputs]
        options = node.options(schema.ConcatenationOptions)
        axis = options.Axis() % len(parts[0].shape)
        axis = _AXES[axis] if len(parts[0].shape) == _IMAGE else axis
        return self._activated(self._add("Concat", *(part.name for part in parts), axis=axis), options)

    def _activated(self, tensor: str, options: Any) -> str:
        kind = options.FusedActivationFunction()
        if kind == schema.ActivationFunctionType.NONE:
            return tensor
        _refuse(kind != schema.ActivationFunctionType.RELU, "activations other than ReLU")
        return self._add("Relu", tensor)

    def _channels_last(self, tensor: _Tensor) -> str:
        return self._add("Transpose", tensor.name, perm=_CHANNELS_LAST) if len(tensor.shape) == _IMAGE else tensor.name

    def _input(self, node: Node) -> _Tensor:
        return self._known[node.inputs[0]]

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self._graph.add(operator, *inputs, **attributes)

    def _constant(self, value: np.ndarray) -> str:
        return self._graph.constant(value)


_OPERATORS: dict[str, Callable[[_Conversion, Node], str]] = {
    "ADD": _Conversion.add,
    "CONCATENATION": _Conversion.concatenation,
    "CONV_2D": _Conversion.convolution,
    "DEPTHWISE_CONV_2D": _Conversion.depthwise,
    "DEPTH_TO_SPACE": _Conversion.depth_to_space,
    "Landmarks2TransformMatrix": _Conversion.crop_matrix,
    "MAX_POOL_2D": _Conversion.max_pool,
    "MUL": _Conversion.multiply,
    "PAD": _Conversion.pad,
    "PRELU": _Conversion.prelu,
    "RELU": _Conversion.relu,
    "RESHAPE": _Conversion.reshape,
    "RESIZE_BILINEAR": _Conversion.resize,
    "STRIDED_SLICE": _Conversion.whole_slice,
    "TransformLandmarks": _Conversion.transform_landmarks,
    "TransformTensorBilinear": _Conversion.crop,
}


def _pads(image: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: int) -> list[int]:
    """What is added above, left, below and right: with SAME, as much as gives ⌈side / stride⌉ results, the odd one
    after."""
    if padding == schema.Padding.VALID:
        return [0] * 4
    sides = zip(image, kernel, strides, strict=True)
    totals = [max((-(-side // stride) - 1) * stride + width - side, 0) for side, width, stride in sides]
    return [*(total // 2 for total in totals), *(total - total // 2 for total in totals)]


def _refuse(condition: bool, what: str) -> None:
    if condition:
        raise WeightsError(f"{what} of a TensorFlow Lite file are not known")
