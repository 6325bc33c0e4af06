"""A training does not wait for its device: in 19 of 20 updates nothing that the device computes is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mien.model.networks.config import GeneratorConfig
from mien.model.training.readings import READ_EVERY
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=3, each=4)
SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=8, blocks=0),
    discriminator_width=8,
    batch_size=4,
    steps=40,
    pretrain_steps=2,
    adversarial_from=0.0,
    cross_every_steps=2,
    precision="float32",
)
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_linalg_check_errors"}
"""What reads a value of a tensor, or makes a tensor whose size depends on values: on a GPU these wait for it."""


class Watched(TorchDispatchMode):
    """Counts what would wait for a GPU: operators that need a value, and tensors made of Python's numbers, which would
    be copied to a GPU with a wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITING or (name == "index" and any(_is_mask(each) for each in args[1])):
            self.waits[name] += 1
        if name == "lift_fresh":
            self.waits["made"] += 1
        return func(*args, **(kwargs or {}))


def _is_mask(index: torch.Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each array that is given to torch: those are copied without a wait."""
    arrays, given = [], torch.from_numpy

    def noted(array: Any) -> torch.Tensor:
        arrays.append(1)
        return given(array)

    monkeypatch.setattr(torch, "from_numpy", noted)
    return arrays


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each call by which Python gets at what a tensor holds. On a CPU torch has no operator for these."""
    calls: list[str] = []

    def noting(name: str) -> None:
        method = getattr(torch.Tensor, name)

        def noted(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, noted)

    for name in ("tolist", "numpy", "cpu", "item"):
        noting(name)
    return calls


Waits = Callable[[Callable[[], Any]], dict[str, int]]


@pytest.fixture
def waits(copied: list[int], taken: list[str]) -> Waits:
    """Counts the waits of a call."""

    def found(call: Callable[[], Any]) -> dict[str, int]:
        copied.clear(), taken.clear()
        with Watched() as watched:
            call()
        watched.waits["made"] -= len(copied)
        return {name: count for name, count in (watched.waits + Counter(taken)).items() if count}

    return found


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, max_sources=3, adversarial_from=0.05, batch_size=2)])
def test_no_kind_of_update_waits(settings: TrainSettings, waits: Waits) -> None:
    trainer = Trainer(settings, FACES, "cpu")
    for update in (trainer.pretrain, *[trainer.train_step] * 2):  # constants are copied once
        update()
    assert waits(trainer.pretrain) == {}
    assert [waits(trainer.train_step) for _ in range(4)] == [{}] * 4
    assert waits(trainer.flush) == {"tolist": 1}


def test_numbers_are_read_in_one_of_twenty_updates(waits: Waits) -> None:
    small = replace(RECIPES["patent"].generator, size_px=64, width=8, blocks=0)
    settings = replace(RECIPES["patent"], generator=small, discriminator_width=4, batch_size=2, steps=100)
    trainer = Trainer(settings, FACES, "cpu")
    trainer.train_step()
    read: list[int] = []
    for _ in range(2 * READ_EVERY):
        assert waits(lambda: read.append(len(trainer.train_step()))) == ({"tolist": 1} if read[-1] else {})
    assert [count for count in read if count] == [READ_EVERY] * 2
    assert len(read) == 2 * READ_EVERY


def test_the_watch_sees_what_waits(waits: Waits) -> None:
    values, mask = torch.arange(4.0), torch.tensor([True, False, True, False])
    for wait in (
        lambda: values.sum().item(),
        lambda: float(values.sum()),
        values.cpu,
        lambda: bool(values.isfinite().all()),
        lambda: values[mask],
        lambda: values[[0, 1]],
        lambda: values.new_tensor([1.0]),
        lambda: torch.linalg.solve(torch.eye(4), values),
    ):
        assert waits(wait)
    array = values.numpy()
    assert not waits(lambda: torch.from_numpy(array).sum())
