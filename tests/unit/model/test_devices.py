"""Devices by name: which are there, which is in force, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mien.flows.prepare import check_arguments
from mien.model import devices
from mien.model.detection.load import detector_version, load_detector
from mien.model.device import Compute
from mien.model.devices import (
    chosen_devices,
    compute_on,
    computing_on,
    device_in_force,
    device_of,
    devices_in_force,
    own_processes,
)
from mien.model.errors import DeviceError
from mien.tasks.errors import UsageError
from mien.tasks.runtime.workers import in_worker, worker_pool


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 2)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 0)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    former = devices_in_force()
    yield
    compute_on(former)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        ("auto", ("cuda:0", "cuda:1")),
        ("cuda", ("cuda:0", "cuda:1")),
        ("cuda:1", ("cuda:1",)),
        ("cuda:1,cuda:0", ("cuda:1", "cuda:0")),
        ("cuda:0,cuda:0,cuda:1", ("cuda:0", "cuda:0", "cuda:1")),
        ("cpu", ("cpu",)),
        ("cpu,cpu", ("cpu", "cpu")),
    ],
)
def test_what_is_asked_for_is_a_list_of_devices(asked: str, devices: tuple[str, ...]) -> None:
    assert chosen_devices(asked) == devices


@pytest.mark.usefixtures("two_gpus")
def test_a_device_that_is_not_there_is_refused_in_a_line_that_says_which_are() -> None:
    with pytest.raises(DeviceError, match=r"^there is no CUDA device cuda:2, cuda:5 here, only cuda:0, cuda:1$"):
        chosen_devices("cuda:0,cuda:2,cuda:5")


@pytest.mark.usefixtures("no_gpu")
def test_where_there_is_none_auto_is_the_cpu() -> None:
    assert chosen_devices("auto") == ("cpu",)
    for asked in ("cuda", "cuda:0", "cuda:0,cuda:1"):
        with pytest.raises(
            DeviceError, match=f"^there is no CUDA device here, so not {asked} either: use --device cpu$"
        ):
            chosen_devices(asked)


def test_a_torch_without_cuda_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 1)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    assert chosen_devices("auto") == ("cpu",)
    with pytest.raises(DeviceError, match="install its CUDA build"):
        chosen_devices("cuda:0")


@pytest.mark.parametrize(
    "asked",
    [
        "gpu",
        "cuda:",
        "cuda:x",
        "CPU",
        "",
        "cpu,cuda:0",
        "cuda,cuda:1",
        "cuda:0,",
        "cuda:0, cuda:1",
        "auto,cpu",
        "cpu\n",
    ],
)
def test_a_name_of_no_device_and_a_list_of_two_kinds_are_refused(asked: str) -> None:
    with pytest.raises(DeviceError, match=r"use auto, cpu, cuda .* or a list such as cuda:0,cuda:1$") as told:
        chosen_devices(asked)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:0,cuda:1", "auto"])
def test_a_network_computes_on_one_device(name: str) -> None:
    with pytest.raises(DeviceError, match="use cpu, cuda or cuda:N"):
        load_detector("dlib", name)


@pytest.mark.parametrize(
    ("devices", "processes"),
    [
        (("cpu",), ()),
        (("cpu", "cpu"), ("cpu", "cpu")),
        (("cuda:0",), ("cuda:0",)),
        (("cuda:0", "cuda:1", "cuda:1"), ("cuda:0", "cuda:1", "cuda:1")),
    ],
)
def test_each_name_of_a_list_has_a_process_and_the_cpu_is_shared(
    devices: tuple[str, ...], processes: tuple[str, ...]
) -> None:
    assert own_processes(devices) == processes


def test_processes_take_turns_over_the_list() -> None:
    assert [device_of(number, ("cuda:0", "cuda:1")) for number in range(5)] == ["cuda:0", "cuda:1"] * 2 + ["cuda:0"]
    assert [device_of(number, ("cpu",)) for number in range(3)] == ["cpu"] * 3


@pytest.mark.usefixtures("two_gpus")
def test_it_is_in_force_while_the_block_runs() -> None:
    assert device_in_force() == "cpu"
    with computing_on("cuda:1"):
        assert device_in_force() == "cuda:1"
        with computing_on("cpu"):
            assert device_in_force() == "cpu"
        assert device_in_force() == "cuda:1"
        with computing_on("auto"):
            assert devices_in_force() == ("cuda:0", "cuda:1")
            assert device_in_force() == "cuda:0"
    assert devices_in_force() == ("cpu",)


@pytest.mark.usefixtures("two_gpus")
def test_workers_compute_where_their_parent_does() -> None:
    with worker_pool(1):
        assert in_worker(device_in_force) == "cpu"
        with computing_on("cuda:1"):
            assert in_worker(device_in_force) == "cuda:1"
        assert in_worker(device_in_force) == "cpu"


def test_the_kind_of_device_is_part_of_the_version_and_its_number_is_not() -> None:
    versions: dict[str, str] = {}
    for name in ("cpu", "cuda", "cuda:1"):
        compute_on([name])
        versions[name] = detector_version("dlib")
    assert versions["cuda"] == versions["cuda:1"] == f"{versions['cpu']}-cuda"


def test_a_generator_goes_where_its_kind_of_device_is_in_force() -> None:
    compute_on(["cuda:1"])
    assert str(Compute("cuda").torch_device) == "cuda:1"
    assert str(Compute("cpu").torch_device) == "cpu"
    assert Compute.chosen("float32", device_in_force()) == Compute("cuda")
    compute_on(["cpu"])
    assert str(Compute("cuda").torch_device) == "cuda"
    assert Compute.chosen("float32", device_in_force()) == Compute("cpu")


@pytest.mark.usefixtures("no_gpu")
def test_a_flow_refuses_a_device_that_is_not_there_before_it_starts() -> None:
    with pytest.raises(UsageError, match="there is no CUDA device here, so not cuda:3 either") as caught:
        check_arguments(
            images=["sample:orl"],
            faces="dlib",
            pattern=None,
            identity="source",
            check_identities=False,
            group_similarity=None,
            settings=None,
            device="cuda:3",
        )
    assert "\n" not in str(caught.value)
