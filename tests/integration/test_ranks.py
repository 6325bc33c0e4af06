"""Several processes make one set, each begins with its own shards, and one is killed: the set is that of one run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.small_job import NAME, SHARD_PAIRS
from mien.model.detection.detector import FoundFace
from mien.storage import Root, set_versions
from tests.integration.faulty_job import PER_IDENTITY, Job, check_whole, digests, in_shards_of
from tests.integration.quick_program import QuickProgram
from tests.own_detector import DarkSquares
from tests.paths import REPOSITORY
from tests.small_root import draw_photos

RANKS = 3
PREPARE = "from tests.integration.test_ranks import prepare_slowly as work"
MAKE = "from tests.integration.test_ranks import make_cheap_shards as work"
COUNT, LEASE_S = 30, 3.0


class Slow(DarkSquares):
    """Takes long enough for a photo to be killed over it."""

    name = "slow dark squares"

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """The squares."""
        time.sleep(0.2)
        return super().find(image)


def prepare_slowly(folder: str) -> None:
    """In small shards, so that there is something to share."""
    from mien.flows.prepare import prepare_faces

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.flows.prepare.SHARD_IMAGES", 2)
        prepare_faces(
            [f"{folder}/photos"],
            set="squares",
            root=os.environ["MIEN_TEST_ROOT"],
            faces="tests.integration.test_ranks:Slow",
            crop_size=64,
            workers=1,
        )


def make_cheap_shards(folder: str) -> None:
    """With leases that run out soon, by a clock that may go wrong."""
    from benchmarks.lease_shards import Cheap, run_cheap_job
    from mien.tasks.runtime.ranks import chosen_rank

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.storage.leases.LEASE_S", LEASE_S)
        patch.setattr("mien.storage.leases.BEAT_S", LEASE_S / 6)
        patch.setattr("mien.tasks.runtime.left_shards._READ_S", LEASE_S / 6)
        apart_s, told = float(os.environ.get("MIEN_TEST_CLOCK_S", "0")), time.time
        patch.setattr(time, "time", lambda: told() + apart_s)
        about = Cheap(f"{folder}/begun", float(os.environ.get("MIEN_TEST_SHARD_S", "0.2")))
        print(run_cheap_job(os.environ["MIEN_TEST_ROOT"], COUNT, about, workers=1, rank=chosen_rank(None, None)))


def start(script: str, folder: Path, root: Path, python: str, **environment: str) -> QuickProgram:
    from prefect.settings import PREFECT_API_URL

    given = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    given |= {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(REPOSITORY)}
    main = f"import sys\n{script}\nif __name__ == '__main__':\n    work(sys.argv[1])\n"
    return QuickProgram(
        python, main, folder, environment=given | {"MIEN_TEST_ROOT": str(root)} | environment, folder=folder
    )


def of_slurm(number: int) -> dict[str, str]:
    return {
        "SLURM_ARRAY_TASK_ID": str(number + 1),
        "SLURM_ARRAY_TASK_MIN": "1",
        "SLURM_ARRAY_TASK_COUNT": str(RANKS),
    }


def finish(process: subprocess.Popen[str]) -> str:
    told, complained = process.communicate(timeout=900)
    assert process.returncode == 0, complained
    return told


def end_all(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_for_lease(root: Path, processes: Sequence[QuickProgram], table: str) -> QuickProgram:
    """The first of the processes that has a shard of the table in hand, as soon as one has."""
    while any(process.poll() is None for process in processes):
        known = {process.program_pid: process for process in processes}
        for path in root.glob(f"{table}/leases/*.json"):
            try:
                return known[json.loads(path.read_bytes())["pid"]]
            except (FileNotFoundError, KeyError):
                continue
        time.sleep(0.01)
    raise AssertionError("all have ended before")


def files(root: Path) -> dict[str, str]:
    """Of the tables, by path; without the hidden ones that a kill may leave."""
    found = [path for part in ("shards", "manifests", "leases") for path in root.glob(f"*/{part}/[!.]*")]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("prefect_server")
def test_ranks_of_which_one_is_killed_leave_what_one_run_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str
) -> None:
    draw_photos(tmp_path / "photos", people=4, each=5)
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    with monkeypatch.context() as patch:
        patch.setenv("MIEN_TEST_ROOT", str(whole))
        prepare_slowly(str(tmp_path))
    ranks = [start(PREPARE, tmp_path, shared, quick_python, **of_slurm(number)) for number in range(RANKS)]
    try:
        killed = wait_for_lease(shared, ranks, "faces")
        assert f"rank {ranks.index(killed)} of 3 (SLURM_ARRAY_TASK_ID)" in killed.kill_all()
        for process in ranks:
            if process is not killed:
                finish(process)
    finally:
        end_all(ranks)
    assert set_versions(Root(str(shared)), "squares") == [1]
    assert files(shared) == files(whole)


@pytest.mark.timeout(1800)
def test_ranks_of_a_transfer_job_of_which_one_is_killed_leave_what_one_run_leaves(
    job: Job, tmp_path: Path, quick_python: str
) -> None:
    """The command line with its options. The job has several rounds, each of which follows from all of the last one."""
    root = job.fresh(tmp_path / "root")
    ranks = []
    for number in range(RANKS):
        options = ("--per-identity", PER_IDENTITY, "--rank", number, "--world-size", RANKS)
        command = job.command(root, *options, program=in_shards_of(SHARD_PAIRS), python=quick_python)
        _, _, code, *arguments = command
        environment, folder = job.environment(), job.registry.parent
        ranks.append(QuickProgram(quick_python, code, *arguments, environment=environment, folder=folder))
    try:
        killed = wait_for_lease(root, ranks, "transfers")
        killed.kill_all()
        told = [finish(process) for process in ranks if process is not killed]
    finally:
        end_all(ranks)
    assert told[0] == told[1]
    assert digests(root) == job.whole
    assert set_versions(Root(str(root)), f"{NAME}-by-{NAME}") == [1]
    assert (root / "galleries" / f"{NAME}-by-{NAME}" / "index.html").exists()
    check_whole(root)


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("prefect_server")
def test_jobs_at_once_make_no_shard_twice_on_machines_whose_clocks_are_apart(tmp_path: Path, quick_python: str) -> None:
    root = tmp_path / "root"
    jobs = [start(MAKE, tmp_path, root, quick_python, MIEN_TEST_CLOCK_S=apart_s) for apart_s in ("-600", "0", "600")]
    try:
        assert len({finish(job) for job in jobs}) == 1
    finally:
        end_all(jobs)
    times = Counter((tmp_path / "begun").read_text().split())
    assert len(times) == COUNT
    assert sum(times.values()) <= COUNT + 1  # a lease may run out under a machine that is busy elsewhere


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.long
def test_a_run_that_was_suspended_for_longer_than_its_lease_ends_with_the_same_table(
    tmp_path: Path, quick_python: str
) -> None:
    root = tmp_path / "root"
    # The usual Python: it is suspended with its worker.
    first = start(MAKE, tmp_path, root, sys.executable, MIEN_TEST_SHARD_S="1")
    jobs = [first]
    try:
        wait_for_lease(root, [first], "pairs")
        os.killpg(first.pid, signal.SIGSTOP)
        jobs.append(start(MAKE, tmp_path, root, quick_python, MIEN_TEST_SHARD_S="0.01"))
        table = finish(jobs[1])
        assert first.poll() is None
        os.killpg(first.pid, signal.SIGCONT)
        assert finish(first) == table
    finally:
        end_all(jobs)
    times = Counter((tmp_path / "begun").read_text().split())
    assert len(times) == COUNT
    assert sum(times.values()) <= COUNT + 2  # what the first one had in hand, and had made ready
    assert not list(root.glob("*/leases/*"))
