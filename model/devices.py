"""Devices by their names: which there are, and which ones the networks of this process compute on. Without torch."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from mien.model.errors import DeviceError

CPU = "cpu"
NAME = r"cpu|cuda(:\d+)?"
"""Of one device; `cuda` is the first CUDA device of the process."""
ASKED = r"auto|cuda|cpu(,cpu)*|cuda:\d+(,cuda:\d+)*"
"""What a user asks for: `cuda` is all CUDA devices. Those of a list are of one kind, since another kind computes other
last digits."""
CHOICES = "auto, cpu, cuda (all GPUs), cuda:N, or a list such as cuda:0,cuda:1"

_in_force: tuple[str, ...] = (CPU,)


def check_device(device: str) -> None:
    """Raises DeviceError unless this is `cpu`, `cuda` or `cuda:N`; whether it is there is another matter."""
    if not re.fullmatch(NAME, device):
        raise DeviceError(f"unknown device {device!r}: use cpu, cuda or cuda:N")


def check_asked(asked: str) -> None:
    """Raises DeviceError unless a user may ask for this; whether it is there is another matter."""
    if not re.fullmatch(ASKED, asked):
        raise DeviceError(f"unknown device {asked!r}: use {CHOICES}")


def chosen_devices(asked: str) -> tuple[str, ...]:
    """The devices that are asked for, each `cpu` or `cuda:N`: networks compute in a process for each of them.

    Args:
        asked: `cpu` or `cuda:N`, or several with commas between them, where one name may stand more than once; `cuda`:
            all CUDA devices; `auto`: the same where there are some, else `cpu`.

    Raises:
        DeviceError: no device has such a name, or one is not there.
    """
    check_asked(asked)
    there = tuple(f"cuda:{number}" for number in range(cuda_devices()))
    if asked == "auto":
        return there if there and _torch_has_cuda() else (CPU,)
    if asked.startswith(CPU):
        return tuple(asked.split(","))
    if not there:
        raise DeviceError(f"there is no CUDA device here, so not {asked} either: use --device cpu")
    devices = there if asked == "cuda" else tuple(asked.split(","))
    if missing := [device for device in devices if device not in there]:
        raise DeviceError(f"there is no CUDA device {', '.join(missing)} here, only {', '.join(there)}")
    if not _torch_has_cuda():
        raise DeviceError(f"this torch cannot compute on {asked}: install its CUDA build, or use --device cpu")
    return devices


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


def devices_in_force() -> tuple[str, ...]:
    """What the networks of this process and of its workers compute on where nothing else is asked for."""
    return _in_force


def device_in_force() -> str:
    """The first of them: what the networks of this process itself compute on."""
    return _in_force[0]


def compute_on(devices: Sequence[str]) -> tuple[str, ...]:
    """From now on this process computes on the first of these devices, and its workers on all; returns the former ones.

    Raises:
        DeviceError: no device has such a name.
    """
    global _in_force
    for device in devices:
        check_device(device)
    former, _in_force = _in_force, tuple(devices)
    return former


@contextmanager
def computing_on(asked: str) -> Iterator[None]:
    """While the block runs, this process and the workers that it starts compute on what `chosen_devices` says.

    Raises:
        DeviceError: as `chosen_devices`.
    """
    former = compute_on(chosen_devices(asked))
    try:
        yield
    finally:
        compute_on(former)


def own_processes(devices: Sequence[str]) -> tuple[str, ...]:
    """The device of each process that computes networks alone: one for each name of the list. None for the CPU by
    itself, on which every worker computes."""
    return () if tuple(devices) == (CPU,) else tuple(devices)


def device_of(process: int, devices: Sequence[str]) -> str:
    """What the process of this number computes on: processes take turns over the list."""
    return devices[process % len(devices)]


def device_kind(device: str) -> str:
    """`cpu` or `cuda`: on two devices of one kind the same numbers come out."""
    return device.partition(":")[0]
