"""The processes that a training on several devices has beside this one, which leads them.

    mien train --devices 3        this process ──starts──► member 1, member 2           on one machine
    torchrun … mien train …       torchrun ──starts──► rank 0 (this process), rank 1 …  on one or several

Either way the others learn from the first one what to train (`Work`), and take part until it says that it is over.
They load no Prefect and no MLflow (`member.py`). When one of them ends before, the others get an error from their next
exchange, and this process says in one line which one has ended and how.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
import torch.distributed as dist

import mien
from mien.model.configuration.refine import refine
from mien.model.devices import CPU, chosen_devices, device_kind
from mien.model.errors import GroupError
from mien.model.training.group import Group
from mien.model.training.settings import DeviceKind, TrainSettings
from mien.model.training.together import Together
from mien.storage import Root
from mien.tasks.errors import RunError, UsageError
from mien.tasks.sets.faces import FaceTables

READY = "ready "
"""Of a member, with its number: it has loaded what it needs, and meets the others at once."""
_LOOK_S = 0.2
_AGAIN = "run the same command again, it goes on from the checkpoint"
_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Work:
    """What the processes of a training train."""

    root: str
    sets: tuple[FaceTables, ...]
    settings: TrainSettings

    @staticmethod
    def of(root: Root, sets: Sequence[FaceTables], settings: TrainSettings) -> Work:
        """That of a training on these sets."""
        return Work(root.url, tuple(sets), settings)

    def as_json(self) -> dict[str, Any]:
        """As it goes to the other processes."""
        return asdict(self)

    @staticmethod
    def from_json(given: Mapping[str, Any]) -> Work:
        """What `as_json` has made."""
        generator = dict(given["settings"]["generator"])
        parts = generator.pop("parts")  # is given by the data, not by settings
        settings = refine(TrainSettings(), {**given["settings"], "generator": generator})
        assert settings.generator.parts == parts
        return Work(given["root"], tuple(FaceTables(**tables) for tables in given["sets"]), settings)


@dataclass(frozen=True)
class OwnProcess:
    """What this process is among those of a training."""

    device: str
    """As `Trainer` takes it."""
    group: Group | None
    """None of one that is alone."""
    description: str
    """Of the devices of all."""


def rank_of_torchrun(environment: Mapping[str, str] = os.environ) -> int | None:
    """Which of several processes that torchrun has started this is; None if it has not."""
    return int(environment["RANK"]) if all(name in environment for name in _TORCHRUN) else None


def training_devices(count: int) -> tuple[str, ...]:
    """The devices to train on, each `cpu` or `cuda:N`: GPUs where there are any.

    Raises:
        UsageError: there are not as many.
    """
    there = chosen_devices("auto")
    if there == (CPU,):
        return (CPU,) * count
    if count > len(there):
        raise UsageError(f"there are {len(there)} CUDA devices here, not {count}: use --devices {len(there)} or fewer")
    return there[:count]


def kind_of_training(count: int) -> DeviceKind:
    """The kind of device that a training on so many of them runs on.

    Raises:
        UsageError: there are not as many.
    """
    return "cpu" if training_devices(count)[0] == CPU else "cuda"


@contextmanager
def processes(devices: int, work: Work) -> Iterator[OwnProcess]:
    """While the block runs, this process leads those of a training; it is alone on one device.

    Raises:
        UsageError: there are not as many devices.
        RunError: a process has ended before the training.
    """
    if rank_of_torchrun() is not None:
        with _of_torchrun(work) as ours:
            yield ours
        return
    names = training_devices(devices)
    if len(names) == 1:
        yield OwnProcess("auto" if names == (CPU,) else names[0], None, f"1 × {device_kind(names[0])}")
        return
    with _Members(names[1:]) as members, _threads(names):
        put_first(names[0])
        group = members.meet(cuda=device_kind(names[0]) != CPU)
        try:
            group.shared(work.as_json())
            yield OwnProcess(names[0], group, f"{len(names)} × {device_kind(names[0])}")
            group.end()
        except GroupError as error:
            raise members.what_happened(error) from error
        finally:
            members.over = True
            group.leave()


@contextmanager
def _of_torchrun(work: Work) -> Iterator[OwnProcess]:
    group, device = meet_by_torchrun()
    try:
        group.shared(work.as_json())
        yield OwnProcess(device, group, f"{group.size} × {device_kind(device)}")
        group.end()
    except GroupError as error:
        raise RunError(f"{error}; {_AGAIN}") from error
    finally:
        group.leave()


def put_first(device: str) -> None:
    """What does not name a CUDA device is on this one, such as memory for copies."""
    if device != CPU:
        torch.cuda.set_device(device)


def meet_by_torchrun() -> tuple[Together, str]:
    """The group that torchrun has started, and the device of this process."""
    number, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    there = chosen_devices("auto")
    device = there[int(os.environ.get("LOCAL_RANK", "0")) % len(there)]
    put_first(device)
    return Together(number, size, cuda=device != CPU), device


def dismiss() -> None:
    """Tells processes that torchrun has started beside this one that there is nothing to train."""
    if rank_of_torchrun() == 0:
        group, _ = meet_by_torchrun()
        group.shared(None)
        group.leave()


@contextmanager
def _threads(devices: Sequence[str]) -> Iterator[None]:
    """While the block runs, processes that share the CPU have equal parts of its cores."""
    former = torch.get_num_threads()
    if devices[0] == CPU:
        torch.set_num_threads(threads_of_each(len(devices)))
    try:
        yield
    finally:
        torch.set_num_threads(former)


def threads_of_each(count: int) -> int:
    """Of so many processes that share the CPU."""
    return max(1, len(os.sched_getaffinity(0)) // count) if hasattr(os, "sched_getaffinity") else 1


class _Members:
    """The other processes, from their start to their end. They end with this one, whatever ends it: each waits for the
    end of a pipe from it."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.over = False
        self._devices = devices
        self._started: list[subprocess.Popen[bytes]] = []
        self._said: list[IO[bytes]] = []

    def __enter__(self) -> _Members:
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        for number, device in enumerate(self._devices, 1):
            self._said.append(tempfile.TemporaryFile())
            command = ["-P", "-m", "mien.tasks.train.member", str(number), str(len(self._devices) + 1)]
            started = subprocess.Popen(  # nosec B603 # this Python and this package
                [sys.executable, *command, str(self._store.port), device],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._said[-1],
                env=_environment(len(self._devices) + 1),
            )
            self._started.append(started)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        for process in self._started:
            if process.stdin is not None:
                process.stdin.close()  # it ends
        for process in self._started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for said in self._said:
            said.close()

    def meet(self, cuda: bool) -> Together:
        """The group, once all are ready.

        Raises:
            RunError: one has ended before.
        """
        while not self._store.check([f"{READY}{number}" for number in range(1, len(self._started) + 1)]):
            if self._ended():
                raise self.what_happened(None)
            time.sleep(_LOOK_S)
        try:
            group = Together(0, len(self._started) + 1, self._store, cuda)
        except GroupError as error:
            raise self.what_happened(error) from error
        if cuda:
            threading.Thread(target=self._watch, daemon=True).start()
        return group

    def _watch(self) -> None:
        """What waits on a GPU for a process that has gone would wait for half an hour."""
        while not self.over and not self._ended():
            time.sleep(_LOOK_S)
        if not self.over:
            dist.distributed_c10d._get_default_group().abort()  # pyright: ignore[reportPrivateUsage]

    def _ended(self) -> list[int]:
        """Numbers of those that have ended."""
        return [number for number, process in enumerate(self._started, 1) if process.poll() is not None]

    def what_happened(self, error: GroupError | None) -> RunError:
        """In one line: which process has ended first, and how."""
        until = time.monotonic() + 5  # the connection ends a moment before the process
        while not (ended := self._ended()) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        # Those that end because another one has gone say so; the first cause does not.
        causes = [number for number in ended if GroupError.__name__ not in self._last_line(number)] or ended
        if not causes:
            return RunError(f"{error}; {_AGAIN}")
        number, of = causes[0], len(self._started) + 1
        return RunError(f"process {number + 1} of {of} of the training {self._how(number)}; all have ended: {_AGAIN}")

    def _how(self, number: int) -> str:
        code = self._started[number - 1].returncode
        if code < 0:
            return f"was killed ({signal.Signals(-code).name}; out of memory?)"
        return f"has ended ({self._last_line(number) or f'exit code {code}'})"

    def _last_line(self, number: int) -> str:
        said = self._said[number - 1]
        said.seek(0)
        lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else ""


def _environment(count: int) -> dict[str, str]:
    """Of a member: the same `mien` as here, and its part of the cores."""
    own = str(Path(mien.__file__).parents[1])
    path = os.pathsep.join(filter(None, (own, os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads_of_each(count))}
