"""A slow second opinion on TensorFlow Lite files: their operators in torch, with the channels last as they have it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tflite
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.model.graphs.tflite_file import TfliteFile

_RELU = 1


def run_tflite(data: bytes, image: np.ndarray) -> list[np.ndarray]:
    """The outputs of a file for one image, height × width × 3, as the network takes it."""
    file = TfliteFile(data)
    known: dict[int, Tensor] = {file.inputs[0]: torch.from_numpy(image[None].astype(np.float32))}
    for node in file.nodes:
        known[node.output] = _RUN[node.operator](file, node, known[node.inputs[0]], known)
    return [known[index][0].numpy() for index in file.outputs]


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _same(x: Tensor, options: Any, kernel: tuple[int, ...], value: float) -> Tensor:
    """The image with a border, if the options say SAME: half of what is missing before, the rest after."""
    if options.Padding() == tflite.Padding.VALID:
        return x
    sides = []
    for side, width, stride in zip(x.shape[1:3], kernel, (options.StrideH(), options.StrideW()), strict=True):
        missing = max(width - (side % stride or stride), 0)
        sides.append((missing // 2, missing - missing // 2))
    (top, bottom), (left, right) = sides
    return F.pad(x, (0, 0, left, right, top, bottom), value=value)


def _activated(x: Tensor, options: Any) -> Tensor:
    return x.clamp(min=0) if options.FusedActivationFunction() == _RELU else x


def _conv(file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    options, weight = node.options(tflite.Conv2DOptions), torch.from_numpy(file.constant(node.inputs[1]))
    bordered = _same(x, options, tuple(weight.shape[1:3]), 0.0)
    bias, strides = torch.from_numpy(file.constant(node.inputs[2])), (options.StrideH(), options.StrideW())
    made = F.conv2d(_channels_first(bordered), _channels_first(weight), bias, strides)
    return _activated(_channels_last(made), options)


def _depthwise(file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    """As a sum over the kernel of the shifted image times the weights there."""
    options, weight = node.options(tflite.DepthwiseConv2DOptions), torch.from_numpy(file.constant(node.inputs[1]))
    _, rows, columns, _ = weight.shape
    bordered = _same(x, options, (rows, columns), 0.0)
    height, width = bordered.shape[1] - rows + 1, bordered.shape[2] - columns + 1
    made = sum(
        bordered[:, row : row + height : options.StrideH(), column : column + width : options.StrideW()]
        * weight[0, row, column]
        for row in range(rows)
        for column in range(columns)
    )
    return _activated(made + torch.from_numpy(file.constant(node.inputs[2])), options)


def _max_pool(_file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    options = node.options(tflite.Pool2DOptions)
    kernel = (options.FilterHeight(), options.FilterWidth())
    bordered = _same(x, options, kernel, float("-inf"))
    return _channels_last(F.max_pool2d(_channels_first(bordered), kernel, (options.StrideH(), options.StrideW())))


def _pad(file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    sides = file.constant(node.inputs[1]).tolist()
    return torch.from_numpy(np.pad(x.numpy(), sides))


def _prelu(file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    return torch.where(x < 0, x * torch.from_numpy(file.constant(node.inputs[1])), x)


def _resize(file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    size = file.shape(node.output)[1:3]
    return _channels_last(F.interpolate(_channels_first(x), size=size, mode="bilinear", align_corners=False))


def _depth_to_space(_file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    """Each pixel becomes a block of pixels, row by row, of successive channels."""
    block = node.options(tflite.DepthToSpaceOptions).BlockSize()
    _, height, width, channels = x.shape
    made = torch.zeros(1, height * block, width * block, channels // block**2)
    for row in range(block):
        for column in range(block):
            first = (row * block + column) * made.shape[-1]
            made[:, row::block, column::block] = x[..., first : first + made.shape[-1]]
    return made


def _concatenation(_file: TfliteFile, node: Any, _x: Tensor, known: dict[int, Tensor]) -> Tensor:
    return torch.cat([known[index] for index in node.inputs], node.options(tflite.ConcatenationOptions).Axis())


def _crop_matrix(_file: TfliteFile, node: Any, x: Tensor, _: Any) -> Tensor:
    """By angles, as the operator's own text has it."""
    options, points = node.custom_options(), x[0, :, :2].double()
    left, right = points[options["left_rotation_idx"]], points[options["right_rotation_idx"]]
    angle = options["target_rotation_radians"] - torch.atan2(right[1] - left[1], right[0] - left[0])
    subset = points[list(options["subset_idxs"])] @ _rotation(angle).T
    low, high = subset.amin(0), subset.amax(0)
    out = torch.tensor([options["output_width"], options["output_height"]])
    step = torch.tensor([options["scale_x"], options["scale_y"]]) * (high - low) / out
    linear = _rotation(-angle) @ torch.diag(step)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:2, :2] = linear
    matrix[:2, 3] = _rotation(-angle) @ ((low + high) / 2) - linear @ (out / 2).double()
    return matrix[None].float()


def _rotation(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)


def _crop(file: TfliteFile, node: Any, x: Tensor, known: dict[int, Tensor]) -> Tensor:
    """Pixel by pixel; (0, 0) is the upper left corner of the image, not the centre of its first pixel."""
    matrix, (height, width) = known[node.inputs[1]][0], file.shape(node.output)[1:3]
    made = torch.zeros(1, height, width, x.shape[-1])
    for row in range(height):
        for column in range(width):
            at = matrix @ torch.tensor([column + 0.5, row + 0.5, 0.0, 1.0])
            made[0, row, column] = _between(x[0], float(at[0]) - 0.5, float(at[1]) - 0.5)
    return made


def _between(image: Tensor, column: float, row: float) -> Tensor:
    value = torch.zeros(image.shape[-1])
    for y in (math.floor(row), math.floor(row) + 1):
        for x in (math.floor(column), math.floor(column) + 1):
            if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
                value += image[y, x] * (1 - abs(row - y)) * (1 - abs(column - x))
    return value


def _transform_landmarks(_file: TfliteFile, node: Any, x: Tensor, known: dict[int, Tensor]) -> Tensor:
    matrix = known[node.inputs[1]][0]
    return x @ matrix[:2, :2].T + matrix[:2, 3]


_RUN: dict[str, Any] = {
    "ADD": lambda _, node, x, known: _activated(x + known[node.inputs[1]], node.options(tflite.AddOptions)),
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _depth_to_space,
    "Landmarks2TransformMatrix": _crop_matrix,
    "MAX_POOL_2D": _max_pool,
    "MUL": lambda file, node, x, _: x * torch.from_numpy(file.constant(node.inputs[1])),
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": lambda _file, _node, x, _: x.clamp(min=0),
    "RESHAPE": lambda file, node, x, _: x.reshape(file.shape(node.output)),
    "RESIZE_BILINEAR": _resize,
    "STRIDED_SLICE": lambda file, node, x, _: x.reshape(file.shape(node.output)),
    "TransformLandmarks": _transform_landmarks,
    "TransformTensorBilinear": _crop,
}
