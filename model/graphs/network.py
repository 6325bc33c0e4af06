"""A graph ready to run: by ONNX Runtime on a CPU, by torch on CUDA.

A row of the results has the same bits whatever batch it was computed in; `tests/unit/model/graphs` holds the graphs of
this project to that. On CUDA libraries choose their ways by the size of a batch, so there it is always the same. ONNX
Runtime takes its threads from `OMP_NUM_THREADS`, as the other libraries do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import onnx

from mien.model.devices import check_device

Run = Callable[[np.ndarray], Sequence[np.ndarray]]

CUDA_BATCH = 16
"""Rows that go through a network at once on CUDA."""

_ERRORS_ONLY = 3


class Network:
    """A graph of one input whose first axis is the batch, and its outputs.

    Raises:
        DeviceError: this process has no such device.
    """

    def __init__(self, graph: onnx.ModelProto, device: str = "cpu") -> None:
        check_device(device)
        self.device = device
        self._run = _run_by_runtime(graph) if device == "cpu" else _run_by_torch(graph, device)

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """The outputs for a batch, in the order of the graph; an empty batch is not allowed."""
        return list(self._run(batch)) if self.device == "cpu" else in_fixed_batches(self._run, batch)


def in_fixed_batches(run: Run, batch: np.ndarray) -> list[np.ndarray]:
    """The outputs for a batch, of which `run` gets `CUDA_BATCH` rows at a time: the last ones are filled up."""
    parts: list[Sequence[np.ndarray]] = []
    for first in range(0, len(batch), CUDA_BATCH):
        some = batch[first : first + CUDA_BATCH]
        missing = CUDA_BATCH - len(some)
        parts.append(run(np.concatenate([some, np.repeat(some[-1:], missing, axis=0)]) if missing else some))
    return [np.concatenate(outputs)[: len(batch)] for outputs in zip(*parts, strict=True)]


def _run_by_runtime(graph: onnx.ModelProto) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    # Threads that wait for the next call are not to take the cores from those that decode and encode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: cast("Sequence[np.ndarray]", session.run(None, {name: batch}))


def _run_by_torch(graph: onnx.ModelProto, device: str) -> Run:
    from mien.model.graphs.torch_graph import TorchGraph

    return TorchGraph(graph, device)
