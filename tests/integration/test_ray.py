"""A real Ray cluster of two nodes on this machine: whoever makes a shard and whoever dies, the bytes are the same."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import psutil
import pyarrow.parquet as pq
import pytest

from benchmarks.small_job import SHARD_PAIRS
from mien.storage import Root, set_versions
from mien.tasks.runtime.ray_cluster import OF_ONE_MACHINE, WITHOUT_STATISTICS
from tests.crashing_detector import VARIABLE, pixels_sha256
from tests.integration.faulty_job import PER_IDENTITY, Job, check_whole, digests, in_shards_of
from tests.integration.test_ranks import end_all, files, finish, start, wait_for_lease
from tests.paths import REPOSITORY
from tests.small_root import draw_photos

PREPARE = "from tests.integration.test_ray import prepare_on as work"
CLUSTER, DETECTOR = "MIEN_TEST_CLUSTER", "MIEN_TEST_DETECTOR"
SLOW, CRASHING = "tests.integration.test_ranks:Slow", "tests.crashing_detector:Crashing"

pytestmark = [pytest.mark.timeout(1800), pytest.mark.usefixtures("prefect_server")]


def prepare_on(folder: str) -> None:
    """In small shards, on the cluster that the environment names or on this machine."""
    from mien.flows.prepare import prepare_faces

    address = os.environ.get(CLUSTER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.flows.prepare.SHARD_IMAGES", 2)
        prepare_faces(
            [f"{folder}/photos"],
            set="squares",
            root=os.environ["MIEN_TEST_ROOT"],
            faces=os.environ[DETECTOR],
            crop_size=64,
            workers=None if address else 1,
            executor="ray" if address else "local",
            ray_address=address,
        )


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says which photos crash a node's detector; there is none yet."""
    return tmp_path_factory.mktemp("crashes") / "crashes.json"


@pytest.fixture(scope="module")
def cluster(crashes: Path) -> Iterator[Any]:
    """Two nodes, each with room for one worker, which see what this process sees. They listen on loopback alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (WITHOUT_STATISTICS | OF_ONE_MACHINE).items():
            patch.setenv(name, value)
        patch.setenv(VARIABLE, str(crashes))
        patch.setenv("PYTHONPATH", str(REPOSITORY))  # the detectors of the tests
        patch.delenv("RAY_ADDRESS", raising=False)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            made.add_node(num_cpus=1)
            yield made
        finally:
            made.shutdown()


def of_node(node: Any) -> list[psutil.Process]:
    """Its processes."""
    (raylet,) = node.all_processes["raylet"]
    found = psutil.Process(raylet.process.pid)
    return [found, *found.children(recursive=True)]


def has_worker(node: Any) -> bool:
    """Whether an actor of the node has spawned a worker process, which is alive."""
    for process in of_node(node):
        with suppress(psutil.NoSuchProcess):  # it ends just now
            if "spawn_main" in " ".join(process.cmdline()):
                return True
    return False


def wait_for_worker(processes: Sequence[Any], process: subprocess.Popen[str]) -> None:
    """Until each of these nodes has a worker process."""
    for node in processes:
        while process.poll() is None and not has_worker(node):
            time.sleep(0.05)


def kill_machine(node: Any) -> None:
    """At once, with all that runs on it."""
    for process in of_node(node):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Path, dict[str, str]]:
    """Photos, and the files of an unbroken run of this machine over them."""
    folder = tmp_path_factory.mktemp("whole")
    draw_photos(folder / "photos", people=4, each=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(CLUSTER, raising=False)
        patch.setenv(DETECTOR, SLOW)
        patch.setenv("MIEN_TEST_ROOT", str(folder / "root"))
        prepare_on(str(folder))
    return folder, files(folder / "root")


@pytest.mark.long
def test_a_transfer_job_on_a_cluster_makes_the_bytes_of_a_local_one(
    cluster: Any, job: Job, tmp_path: Path, quick_python: str
) -> None:
    root = job.fresh(tmp_path / "root")
    options = ("--per-identity", PER_IDENTITY, "--executor", "ray", "--ray-address", cluster.address, "--workers", 2)
    done = subprocess.run(
        job.command(root, *options, program=in_shards_of(SHARD_PAIRS), python=quick_python),
        capture_output=True,
        text=True,
        cwd=job.registry.parent,
        env=job.environment(),
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert digests(root) == job.whole
    check_whole(root)
    assert "transfer expressions: " in done.stderr, "progress comes back"


@pytest.mark.long
def test_a_photo_that_crashes_a_library_costs_neither_the_shard_nor_the_node(
    cluster: Any, crashes: Path, tmp_path: Path, quick_python: str
) -> None:
    draw_photos(tmp_path / "photos", people=1, each=4)
    bad = cv2.cvtColor(cv2.imread(str(tmp_path / "photos" / "person0" / "mood2.png")), cv2.COLOR_BGR2RGB)
    crashes.write_text(json.dumps({pixels_sha256(bad): "segfault"}))
    try:
        given = {CLUSTER: cluster.address, DETECTOR: CRASHING}
        finish(start(PREPARE, tmp_path, tmp_path / "root", quick_python, **given))
    finally:
        crashes.unlink()
    shards = (tmp_path / "root" / "faces" / "shards").glob("[!.]*.parquet")
    rows = [row for path in shards for row in pq.read_table(path).to_pylist()]
    reasons = {row["image_id"]: row["reason"] for row in rows}
    assert len(reasons) == 4
    assert list(filter(None, reasons.values())) == ["crashed the detector (SIGSEGV)"]


def test_a_run_whose_driver_is_killed_goes_on_where_it_was_though_a_node_dies_too(
    cluster: Any, whole: tuple[Path, dict[str, str]], tmp_path: Path, quick_python: str
) -> None:
    folder, expected = whole
    (other,) = cluster.worker_nodes
    nodes, given = [cluster.head_node, other], {CLUSTER: cluster.address, DETECTOR: SLOW}
    first = start(PREPARE, folder, tmp_path / "root", quick_python, **given)
    runs = [first]
    try:
        wait_for_lease(tmp_path / "root", [first], "faces")
        first.kill_all()
        until = time.monotonic() + 300
        while any(map(has_worker, nodes)):
            assert time.monotonic() < until, "a worker outlives the run"
            time.sleep(0.1)
        again = start(PREPARE, folder, tmp_path / "root", quick_python, **given)
        runs.append(again)
        wait_for_lease(tmp_path / "root", [again], "faces")
        wait_for_worker(nodes, again)
        assert again.poll() is None
        kill_machine(other)
        _, complained = again.communicate(timeout=900)
        assert again.returncode == 0, complained
    finally:
        end_all(runs)
    assert "its work is done again by another" in complained
    assert files(tmp_path / "root") == expected
    assert set_versions(Root(str(tmp_path / "root")), "squares") == [1]
