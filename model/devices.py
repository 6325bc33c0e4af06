"""Devices by their names: which there are, and which one the networks of this process compute on. Without torch."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from mien.model.errors import DeviceError

NAMES = r"cpu|cuda(:\d+)?"
"""`cuda` is the first of the CUDA devices, `cuda:1` the second one."""

_in_force = "cpu"


def check_device(device: str) -> None:
    """Raises DeviceError unless this is `cpu`, `cuda` or `cuda:N`; whether it is there is another matter."""
    if not re.fullmatch(NAMES, device):
        raise DeviceError(f"unknown device {device!r}: use cpu, cuda or cuda:N")


def chosen_device(asked: str) -> str:
    """`cpu`, `cuda` or `cuda:N`, which is there; `auto` is CUDA where there is one.

    Raises:
        DeviceError: no device has such a name, or it is not there.
    """
    if asked == "auto":
        return "cuda" if cuda_devices() and _torch_has_cuda() else "cpu"
    check_device(asked)
    if asked == "cpu":
        return asked
    there = cuda_devices()
    if int(asked.partition(":")[2] or 0) >= there:
        raise DeviceError(f"there is no CUDA device {asked} here, but {there or 'none'} of them: use --device cpu")
    if not _torch_has_cuda():
        raise DeviceError(f"this torch cannot compute on {asked}: install its CUDA build, or use --device cpu")
    return asked


@cache
def cuda_devices() -> int:
    """How many CUDA devices the driver shows this process; 0 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    found = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if found else 0


@cache
def _torch_has_cuda() -> bool:
    import torch  # only where there is a device: it takes a second

    return torch.cuda.is_available()


def device_in_force() -> str:
    """What the networks of this process compute on where nothing else is asked for."""
    return _in_force


def compute_on(device: str) -> str:
    """From now on this process computes on this device; returns the former one.

    Raises:
        DeviceError: no device has such a name.
    """
    global _in_force
    check_device(device)
    former, _in_force = _in_force, device
    return former


@contextmanager
def computing_on(asked: str) -> Iterator[None]:
    """While the block runs, this process and the workers that it starts compute on what `chosen_device` says.

    Raises:
        DeviceError: as `chosen_device`.
    """
    former = compute_on(chosen_device(asked))
    try:
        yield
    finally:
        compute_on(former)


def device_kind(device: str) -> str:
    """`cpu` or `cuda`: on two devices of one kind the same numbers come out."""
    return device.partition(":")[0]
