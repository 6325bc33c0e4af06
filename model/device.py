"""Where and in which precision a training computes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mien.model.devices import device_in_force, device_kind
from mien.model.errors import DeviceError
from mien.model.precision import Precision


@dataclass(frozen=True)
class Compute:
    """On what kind of device and in which precision a generator works: what may change the last digits of a pixel."""

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"

    @staticmethod
    def chosen(precision: Precision, on: str | None = None) -> Compute:
        """On a device of this name; if None CUDA where there is one."""
        cuda = torch.cuda.is_available() if on is None else device_kind(on) == "cuda"
        device: Literal["cpu", "cuda"] = "cuda" if cuda else "cpu"
        return Compute(device, "bfloat16" if uses_bfloat16(precision, torch.device(device)) else "float32")

    @property
    def torch_device(self) -> torch.device:
        """Of several CUDA devices the one that is in force here (`model/devices.py`): which it is decides nothing."""
        here = device_in_force()
        return torch.device(here if device_kind(here) == self.device else self.device)

    def check(self) -> None:
        """Raises DeviceError where this process has no such device."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise DeviceError("this is work for a CUDA device, and there is none here: run it where it was begun")


def pick_device(device: str) -> torch.device:
    """`auto` is CUDA where there is one."""
    return torch.device(Compute.chosen("float32").device if device == "auto" else device)


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether to compute in bfloat16; see Precision."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))


def on_device(array: np.ndarray, device: torch.device | str) -> Tensor:
    """An array as a tensor on a device; the process does not wait until a CUDA device has come to it.

    A copy from memory that may be swapped out waits for all that the device has to do before it.
    """
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def constants(values: Sequence[Any], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers that never change, on the device of a tensor and of its type or another; copied there once.

    A list as an index would be copied, and waited for, each time.
    """
    return _constants(_hashable(values), like.device, like.dtype if dtype is None else dtype)


def indices(values: Sequence[Any], like: Tensor) -> Tensor:
    """The same for an index into a tensor."""
    return constants(values, like, torch.int64)


def _hashable(values: Any) -> Any:
    return tuple(map(_hashable, values)) if isinstance(values, Sequence) else values


@cache
def _constants(values: tuple[Any, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # what is made in inference cannot take part in a training afterwards
        return torch.tensor(values, dtype=dtype, device=device)


@contextmanager
def multiplying_in_tf32(on: bool) -> Iterator[None]:
    """While the block runs, CUDA devices multiply matrices of float32 with 10 bits of fraction, or with all 23."""
    former, torch.backends.cuda.matmul.allow_tf32 = torch.backends.cuda.matmul.allow_tf32, on
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = former


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Lets the C library keep what tensors free, for the next ones; says whether it does.

    By default glibc hands every freed block of more than 32 MB at most back to the kernel, which clears each page of it
    when it is asked for again: a tenth of the time of a training on a CPU. See mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 2**30) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
