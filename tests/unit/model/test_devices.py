"""Devices by name: which are there, which is in force, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mien.flows.prepare import check_arguments
from mien.model import devices
from mien.model.detection.load import detector_version, load_detector
from mien.model.device import Compute
from mien.model.devices import chosen_device, compute_on, computing_on, device_in_force
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
    former = device_in_force()
    yield
    compute_on(former)


@pytest.mark.usefixtures("two_gpus")
def test_where_there_is_cuda_auto_takes_it() -> None:
    assert [chosen_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    with pytest.raises(DeviceError, match="there is no CUDA device cuda:2 here, but 2 of them: use --device cpu"):
        chosen_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_where_there_is_none_auto_is_the_cpu() -> None:
    assert chosen_device("auto") == "cpu"
    with pytest.raises(DeviceError, match="there is no CUDA device cuda here, but none of them"):
        chosen_device("cuda")


def test_a_torch_without_cuda_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 1)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    assert chosen_device("auto") == "cpu"
    with pytest.raises(DeviceError, match="install its CUDA build"):
        chosen_device("cuda:0")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_a_name_of_no_device_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="use cpu, cuda or cuda:N"):
        chosen_device(name)
    with pytest.raises(DeviceError, match="use cpu, cuda or cuda:N"):
        load_detector("dlib", name or "gpu")


@pytest.mark.usefixtures("two_gpus")
def test_it_is_in_force_while_the_block_runs() -> None:
    assert device_in_force() == "cpu"
    with computing_on("cuda:1"):
        assert device_in_force() == "cuda:1"
        with computing_on("cpu"):
            assert device_in_force() == "cpu"
        assert device_in_force() == "cuda:1"
    assert device_in_force() == "cpu"


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
        compute_on(name)
        versions[name] = detector_version("dlib")
    assert versions["cuda"] == versions["cuda:1"] == f"{versions['cpu']}-cuda"


def test_a_generator_goes_where_its_kind_of_device_is_in_force() -> None:
    compute_on("cuda:1")
    assert str(Compute("cuda").torch_device) == "cuda:1"
    assert str(Compute("cpu").torch_device) == "cpu"
    assert Compute.chosen("float32", device_in_force()) == Compute("cuda")
    compute_on("cpu")
    assert str(Compute("cuda").torch_device) == "cuda"
    assert Compute.chosen("float32", device_in_force()) == Compute("cpu")


@pytest.mark.usefixtures("no_gpu")
def test_a_flow_refuses_a_device_that_is_not_there_before_it_starts() -> None:
    with pytest.raises(UsageError, match="there is no CUDA device cuda:3 here") as caught:
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
