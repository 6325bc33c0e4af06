"""A face is made again on the kind of device that it was made on; `tests/integration` makes real ones again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mien.model import devices
from mien.model.device import Compute
from mien.model.devices import compute_on, device_in_force
from mien.model.errors import DeviceError
from mien.storage import Root
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.transfer import reproduce
from mien.tasks.transfer.settings import TransferSettings, settings_fingerprint

SETTINGS = TransferSettings(RegisteredModel("models:/g/1", "run", "ab" * 32, False), (), 64, "dlib")
ON_CUDA = replace(SETTINGS, compute=Compute("cuda"))


class Named:
    """In the place of the generator: the rows say by which settings they would be named."""

    def __init__(self, _: Root, settings: TransferSettings) -> None:
        self._settings = settings

    def rows(self, _: list[Any]) -> Iterator[Any]:
        yield {"settings": settings_fingerprint(self._settings), "device": device_in_force()}


@pytest.mark.parametrize("made_on", ["cpu", "cuda:1"])
def test_the_judge_is_on_the_kind_of_device_too(made_on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "PairGenerator", Named)
    monkeypatch.setattr(devices, "cuda_devices", lambda: 2)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)
    monkeypatch.setattr(Compute, "check", lambda _: None)
    settings = SETTINGS if made_on == "cpu" else ON_CUDA
    former = compute_on([made_on])
    name = settings_fingerprint(settings)
    compute_on(former)
    again: Any = reproduce._again(Root("memory://none"), {}, settings)  # pyright: ignore[reportArgumentType, reportPrivateUsage]
    assert again == [{"settings": name, "device": "cpu" if made_on == "cpu" else "cuda:0"}]
    assert device_in_force() == "cpu"


def test_where_there_is_no_such_device_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="run it where it was begun"):
        reproduce._again(Root("memory://none"), {}, ON_CUDA)  # pyright: ignore[reportArgumentType, reportPrivateUsage]
