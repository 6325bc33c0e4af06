"""Runs a graph by torch, for CUDA: what `pip install torch` brings is enough, where ONNX Runtime needs another build.

Only the operators that the graphs of this project use are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor

from mien.model.errors import DeviceError, ModelError

Operator = Callable[..., Tensor]


class TorchGraph:
    """A graph of one input on one device, in float32.

    Raises:
        DeviceError: torch has no such device here.
        ModelError: an operator of the graph is not known.
    """

    def __init__(self, graph: onnx.ModelProto, device: str) -> None:
        _check(device)
        self._device = torch.device(device)
        self._input = graph.graph.input[0].name
        self._outputs = [output.name for output in graph.graph.output]
        self._constants = {each.name: self._constant(each) for each in graph.graph.initializer}
        self._nodes = [(node, _operator(node), _attributes(node)) for node in graph.graph.node]

    def __call__(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        """The outputs for a batch."""
        with torch.inference_mode():
            return [_array(each) for each in self.run(torch.from_numpy(np.ascontiguousarray(batch)).to(self._device))]

    def run(self, batch: Tensor) -> list[Tensor]:
        """The outputs for a batch on the graph's device, with gradients to it where it asks for them."""
        # Tensor cores round float32 to 10 bits of fraction: landmarks would move. What is not said is off.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            known: dict[str, Any] = {**self._constants, self._input: batch}
            for node, operator, attributes in self._nodes:
                given = [known[name] if name else None for name in node.input]
                known[node.output[0]] = operator(*given, **attributes)
            return [known[name] for name in self._outputs]

    def _constant(self, tensor: onnx.TensorProto) -> Tensor | np.ndarray:
        """Numbers of layers on the device; shapes and paddings, which are whole numbers, stay with Python."""
        value = numpy_helper.to_array(tensor)
        return value if value.dtype.kind == "i" else torch.from_numpy(value.copy()).to(self._device)


def _check(device: str) -> None:
    if device == "cpu":
        return
    number = int(device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or number >= torch.cuda.device_count():
        have = f"{torch.cuda.device_count()} of them" if torch.cuda.is_available() else "none"
        raise DeviceError(f"there is no CUDA device {device} here: torch sees {have}; use --device cpu")


def _array(value: Tensor | np.ndarray) -> np.ndarray:
    return value.cpu().numpy() if isinstance(value, Tensor) else value


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def _operator(node: onnx.NodeProto) -> Operator:
    if node.op_type not in _OPERATORS:
        raise ModelError(f"the operator {node.op_type} of a graph is not known: run it by ONNX Runtime")
    return _OPERATORS[node.op_type]


def _sides(pads: Sequence[int]) -> list[int]:
    """ONNX gives what is added before all axes, then after; torch wants the last axis first."""
    half = len(pads) // 2
    return [
        pad
        for before, after in zip(reversed(pads[:half]), reversed(pads[half:]), strict=True)
        for pad in (before, after)
    ]


def _padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    return F.pad(x, _sides(list(pads)), value=value) if any(pads) else x


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    group: int = 1,
    **_: object,
) -> Tensor:
    if group == weight.shape[0] == x.shape[1] and weight[0].numel() == 1 and not any(pads) and max(strides) == 1:
        # A factor for each channel, as in a PReLU: a convolution takes twenty times as long for it.
        scaled = x * weight.reshape(1, -1, 1, 1)
        return scaled if bias is None else scaled + bias[:, None, None]
    return F.conv2d(_padded(x, pads), weight, bias, tuple(strides), groups=group)


def _max_pool(
    x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int] = (1, 1), pads: Sequence[int] = (0, 0, 0, 0)
) -> Tensor:
    return F.max_pool2d(_padded(x, pads, float("-inf")), tuple(kernel_shape), tuple(strides))


def _average_pool(x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int] = (1, 1)) -> Tensor:
    return F.avg_pool2d(x, tuple(kernel_shape), tuple(strides))


def _pad(x: Tensor, pads: np.ndarray, *_: object, mode: bytes = b"constant") -> Tensor:
    return _padded(x, pads.tolist())


def _reshape(x: Tensor, shape: np.ndarray) -> Tensor:
    """A 0 keeps the axis, as the operator has it."""
    return x.reshape([side or x.shape[axis] for axis, side in enumerate(shape.tolist())])


def _resize(x: Tensor, _: None, scales: Tensor, **__: object) -> Tensor:
    """Bilinear, positions counted from the pixels' edges; the scales are those of all four axes."""
    return F.interpolate(x, scale_factor=tuple(scales[2:].tolist()), mode="bilinear", align_corners=False)


def _depth_to_space(x: Tensor, *, blocksize: int, mode: bytes = b"DCR") -> Tensor:
    """Channels become blocks of pixels; which block comes before which channel ("DCR")."""
    count, channels, height, width = x.shape
    blocks = x.reshape(count, blocksize, blocksize, channels // blocksize**2, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(count, -1, height * blocksize, width * blocksize)


def _grid_sample(x: Tensor, grid: Tensor, *, mode: bytes, padding_mode: bytes, align_corners: int) -> Tensor:
    return F.grid_sample(x, grid, mode.decode(), padding_mode.decode(), align_corners=bool(align_corners))


def _gather(x: Tensor, indices: np.ndarray, *, axis: int) -> Tensor:
    """Along one axis, which stays."""
    return x.index_select(axis, _index(tuple(indices.tolist()), x.device))


@cache
def _index(indices: tuple[int, ...], device: torch.device) -> Tensor:
    """On the device, where it is copied once: each copy would wait for all that the device has to do."""
    with torch.inference_mode(False):  # what is made in inference cannot take part in a training afterwards
        return torch.tensor(indices, device=device)


_OPERATORS: dict[str, Operator] = {
    "Add": lambda a, b: a + b,
    "AveragePool": _average_pool,
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Div": lambda a, b: a / b,
    "Flatten": lambda x, axis=1: x.flatten(axis),
    "Gather": _gather,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "GridSample": _grid_sample,
    "Identity": lambda x: x,
    "MatMul": lambda a, b: a @ b,
    "MaxPool": _max_pool,
    "Mul": lambda a, b: a * b,
    "Pad": _pad,
    "ReduceL2": lambda x, axes, keepdims: x.norm(dim=axes, keepdim=bool(keepdims)),
    "ReduceMax": lambda x, axes, keepdims: x.amax(axes, bool(keepdims)),
    "ReduceMin": lambda x, axes, keepdims: x.amin(axes, bool(keepdims)),
    "Relu": F.relu,
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": torch.sigmoid,
    "Sub": lambda a, b: a - b,
    "Transpose": lambda x, perm: x.permute(*perm),
}
