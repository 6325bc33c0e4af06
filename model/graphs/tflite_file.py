"""What is in a TensorFlow Lite file: its operators, and its constants as float32 or whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import tflite
from flatbuffers import flexbuffers

from mien.model.errors import WeightsError

schema: Any = tflite
"""The package has no types that hold: what may be absent is typed as if it always were."""

_MAGIC = b"TFL3"
_OPERATOR_NAMES = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_DTYPES = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.FLOAT16: "<f2", schema.TensorType.INT32: "<i4"}
_WHOLE_NUMBERS = {
    schema.SparseIndexVector.Int32Vector: schema.Int32Vector,
    schema.SparseIndexVector.Uint16Vector: schema.Uint16Vector,
    schema.SparseIndexVector.Uint8Vector: schema.Uint8Vector,
}
_UNFOLDING = {"DEQUANTIZE", "DENSIFY"}
"""Operators that only bring constants into another form."""


@dataclass(frozen=True)
class Node:
    """An operator of one output; tensors are numbers. Those that are not TensorFlow Lite's own have their own names."""

    operator: str
    inputs: tuple[int, ...]
    output: int
    _operator: Any

    def options(self, kind: Any) -> Any:
        """Its options, of a class of the package `tflite`."""
        found, table = kind(), self._operator.BuiltinOptions()
        found.Init(table.Bytes, table.Pos)
        return found

    def custom_options(self) -> dict[str, Any]:
        """The options of an operator that is not TensorFlow Lite's own."""
        return cast("dict[str, Any]", flexbuffers.Loads(self._operator.CustomOptionsAsNumpy().tobytes()))


class TfliteFile:
    """A file of one graph.

    Raises:
        WeightsError: it is no TensorFlow Lite file.
    """

    def __init__(self, data: bytes) -> None:
        if data[4:8] != _MAGIC:
            raise WeightsError("this is no TensorFlow Lite file")
        self._model = schema.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        self.inputs: tuple[int, ...] = tuple(self._graph.InputsAsNumpy().tolist())
        self.outputs: tuple[int, ...] = tuple(self._graph.OutputsAsNumpy().tolist())
        every = [self._node(index) for index in range(self._graph.OperatorsLength())]
        self.nodes = tuple(node for node in every if node.operator not in _UNFOLDING)
        self._unfolded = {node.output: node.inputs[0] for node in every if node.operator in _UNFOLDING}

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor, the batch first."""
        return tuple(self._graph.Tensors(tensor).ShapeAsNumpy().tolist())

    def constant(self, tensor: int) -> np.ndarray:
        """The values of a tensor: float32, or int32.

        Raises:
            WeightsError: it is no constant, or of another type.
        """
        while tensor in self._unfolded:
            tensor = self._unfolded[tensor]
        about = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(about.Buffer())
        if about.Type() not in _DTYPES or not buffer.DataLength():
            raise WeightsError("weights of a TensorFlow Lite file that are no floats are not known")
        values = buffer.DataAsNumpy().view(_DTYPES[about.Type()])
        values = values.astype(np.int32 if values.dtype.kind == "i" else np.float32)
        sparsity = about.Sparsity()
        return _densified(values, self.shape(tensor), sparsity) if sparsity else values.reshape(self.shape(tensor))

    def _node(self, index: int) -> Node:
        operator = self._graph.Operators(index)
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files of before 2020 have the operator in a field of one byte.
        known = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        name = code.CustomCode().decode() if known == "CUSTOM" else known
        (output,) = operator.OutputsAsNumpy().tolist()
        return Node(name, tuple(operator.InputsAsNumpy().tolist()), output, operator)


def _densified(values: np.ndarray, shape: Sequence[int], sparsity: Any) -> np.ndarray:
    """Values of rows that are compressed along the last axis (CSR), with the zeros between them."""
    axes = [sparsity.DimMetadata(axis) for axis in range(sparsity.DimMetadataLength())]
    formats = [axis.Format() for axis in axes]
    dense, sparse = schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR
    in_order = sparsity.TraversalOrderAsNumpy().tolist() == list(range(len(shape)))
    if formats != [dense] * (len(shape) - 1) + [sparse] or not in_order:
        raise WeightsError("sparse weights of a TensorFlow Lite file that are not rows of columns are not known")
    last = axes[-1]
    ends = _whole_numbers(last.ArraySegmentsType(), last.ArraySegments())
    columns = _whole_numbers(last.ArrayIndicesType(), last.ArrayIndices())
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    filled = np.zeros((len(ends) - 1, shape[-1]), values.dtype)
    filled[rows, columns] = values
    return filled.reshape(tuple(shape))


def _whole_numbers(kind: int, table: Any) -> np.ndarray:
    vector = _WHOLE_NUMBERS[kind]()
    vector.Init(table.Bytes, table.Pos)
    return vector.ValuesAsNumpy().astype(np.int64)
