"""Several processes that train together, each on a device of its own.

    first process    update ──► drawn ──► usable? ──► gradients ──► step        and reads, validates, keeps checkpoints
    every other one      └────► drawn ──► usable? ──► gradients ──► step
                      elapsed time     all say yes       summed

Each process computes its parts of the batch, and the gradients and losses of all are summed before anything is made of
them. So all take the same step, or none: their weights stay equal without being compared. What a step needs beside the
gradients goes from host to host (gloo), so that nobody waits for a device; and since it is sent at each update, every
process learns within one that another has gone. `DistributedDataParallel` would sum the gradients of one loss in one
backward pass. Here two losses share a graph, and each goes to the weights of its own side
(docs/decisions/0028-processes-that-train-together.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mien.model.errors import GroupError
from mien.model.training.batches import UpdateKind
from mien.model.training.group import Group

BUCKET_BYTES = 2**25
"""Gradients that are summed at once: one call for each weight would be mostly waiting."""
PATIENCE = timedelta(minutes=30)
"""For a process that says nothing and whose connection stays: the first one may be validating."""
_KINDS: tuple[UpdateKind, ...] = ("pretrain", "train")
_END = len(_KINDS)

State = tuple[dict[str, Tensor], dict[str, Any]]


class Together(Group):
    """This process among the others. One at a time in a process."""

    def __init__(self, number: int, size: int, store: dist.Store | None = None, cuda: bool = False) -> None:
        """Waits until all are there.

        Args:
            number: Of this process, from 0.
            size: How many there are.
            store: Where they find each other; None if the environment says it, as torchrun sets it.
            cuda: Whether gradients are on CUDA devices. What goes from host to host never is.
        """
        self.number, self.size = number, size
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        with _together():
            dist.init_process_group(backend, rank=number, world_size=size, store=store, timeout=PATIENCE)

    def lead(self, kind: UpdateKind, elapsed_s: float) -> None:
        if self.number == 0:
            self._order(_KINDS.index(kind), elapsed_s)

    def follow(self) -> Iterator[tuple[UpdateKind, float]]:
        """What the first process begins, and the time that the training took before; until it says that it is over."""
        while (order := self._order(0, 0.0))[0] != _END:
            yield _KINDS[order[0]], order[1]

    def end(self) -> None:
        """The first process tells all others that it is over."""
        self._order(_END, 0.0)

    def _order(self, number: int, elapsed_s: float) -> tuple[int, float]:
        order = torch.tensor([number, elapsed_s], dtype=torch.float64)
        with _together():
            dist.broadcast(order, 0)
        number_of_all, elapsed_of_all = order.tolist()
        return int(number_of_all), elapsed_of_all

    def all_usable(self, usable: bool) -> bool:
        said = torch.tensor([int(usable)])
        with _together():
            dist.all_reduce(said, dist.ReduceOp.MIN)
        return bool(said.item())

    def sum(self, tensors: Sequence[Tensor]) -> None:
        buckets = list(_buckets(tensors))
        flat = [torch.cat([tensor.reshape(-1) for tensor in bucket]) for bucket in buckets]
        with _together():
            for work in [dist.all_reduce(each, async_op=True) for each in flat]:
                assert work is not None
                work.wait()
        for bucket, each in zip(buckets, flat, strict=True):
            parts = each.split([tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def shared(self, value: Any = None) -> Any:
        """What the first process gives, in all processes; as JSON."""
        text = json.dumps(value).encode() if self.number == 0 else b""
        length = torch.tensor([len(text)])
        with _together():
            dist.broadcast(length, 0)
            buffer = torch.zeros(int(length.item()), dtype=torch.uint8)
            if self.number == 0:
                buffer.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            dist.broadcast(buffer, 0)
        return json.loads(buffer.numpy().tobytes())

    def shared_state(self, state: State | None = None) -> State:
        """The state of the first process's training, in all processes, on the CPU."""
        tensors, rest = state or ({}, {})
        shapes = {name: [str(of.dtype).removeprefix("torch."), list(of.shape)] for name, of in tensors.items()}
        shapes, rest = self.shared([shapes, rest])
        return dict(self._shared_tensors(tensors, shapes)), rest

    def _shared_tensors(self, given: Mapping[str, Tensor], shapes: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
        for name, (dtype, shape) in shapes.items():
            mine = given[name].detach().cpu().contiguous() if given else torch.empty(shape, dtype=getattr(torch, dtype))
            with _together():
                dist.broadcast(mine, 0)
            yield name, mine

    def leave(self) -> None:
        """Ends the connections, whatever they wait for: the others get an error, if they wait for this process."""
        if dist.is_initialized():
            dist.destroy_process_group()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(each.nbytes for each in bucket) + tensor.nbytes > BUCKET_BYTES:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


@contextmanager
def _together() -> Iterator[None]:
    """Errors of torch's communication as one of ours."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # gloo and the stores have no better ones
        raise GroupError(f"a process of this training has gone: {str(error).splitlines()[0]}") from error
