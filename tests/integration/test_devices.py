"""Several devices: the tables are those of one process, byte for byte. The devices are the CPU, named twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.small_job import NAME, PHOTOS
from mien.tasks.runtime import hosts
from mien.tasks.runtime.worker_process import WorkerProcess
from tests.integration.faulty_job import Job, augment, digests
from tests.integration.flow_calls import UNJUDGED, prepare

pytestmark = pytest.mark.usefixtures("prefect_server")

TWICE = "cpu,cpu"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[WorkerProcess]:
    """The worker processes of the flows of a test."""
    processes: list[WorkerProcess] = []

    def begin(*given: Any) -> WorkerProcess:
        processes.append(WorkerProcess(*given))
        return processes[-1]

    monkeypatch.setattr(hosts, "WorkerProcess", begin)
    return processes


def tables(root: Path) -> dict[str, bytes]:
    """The shards by path, and the faces of the set."""
    paths = [path for kind in ("images", "faces", "heatmaps") for path in (root / kind).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def test_faces_do_not_tell_how_many_processes_found_them(
    tmp_path: Path, begun: list[WorkerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.flows.prepare.SHARD_IMAGES", 2)
    prepare(PHOTOS, NAME, tmp_path / "one", workers=1, device="cpu")
    assert len(begun) == 1
    prepare(PHOTOS, NAME, tmp_path / "two", workers=1, device=TWICE)
    assert len(begun) == 1 + 1 + 2, "one for what has no networks, and one for each device"
    one = tables(tmp_path / "one")
    assert tables(tmp_path / "two") == one
    assert sum(name.startswith("faces/shards") for name in one) >= len(PHOTOS) / 2


def test_generated_faces_do_not_tell_how_many_processes_made_them(
    job: Job, tmp_path: Path, begun: list[WorkerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a detector of networks: the job's own is none, and its judge would not take the processes of devices.
    monkeypatch.setattr("mien.tasks.transfer.transfer_shards.computes_on_device", lambda _: True)
    root = job.fresh(tmp_path / "root")
    augment(root, device=TWICE, settings=UNJUDGED)
    assert len(begun) >= 2
    assert digests(root) == job.whole
