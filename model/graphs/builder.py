"""Puts graphs together, node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_OPSET, _IR = 17, 9
"""Old enough for every ONNX Runtime that the project allows."""


class GraphBuilder:
    """A graph of float32 tensors that grows by nodes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._made = 0

    def constant(self, value: np.ndarray) -> str:
        """The name of a tensor that is part of the graph."""
        name = self._new("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node of one output, and returns the output's name; an input may be "" where it is left out."""
        name = self._new(operator)
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def build(
        self, image: str, shape: tuple[int, ...], outputs: dict[str, tuple[str, tuple[int, ...]]]
    ) -> onnx.ModelProto:
        """The graph.

        Args:
            image: Name of the input.
            shape: Of one element of the batch.
            outputs: What the outputs are called; which tensors they are, and the shape of one element of each.
        """
        named = [helper.make_node("Identity", [tensor], [name]) for name, (tensor, _) in outputs.items()]
        kind = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            [*self._nodes, *named],
            self._name,
            [helper.make_tensor_value_info(image, kind, ["batch", *shape])],
            [helper.make_tensor_value_info(name, kind, ["batch", *each]) for name, (_, each) in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        onnx.checker.check_model(model)
        return model

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind.lower()}_{self._made}"
