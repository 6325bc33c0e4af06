"""What a transfer job does when something fails under it; docs/operations.md has the same as a table.

Faults of S3 are in test_faults_s3.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks.small_job import register_generator
from deployments.servers import free_port, mlflow_server, prefect_server, running
from tests.integration.faulty_job import (
    PER_IDENTITY,
    SHARD_PAIRS,
    Job,
    augment,
    check_whole,
    digests,
    disk_kib,
    in_shards_of,
    once_a_shard_is_there,
    use_registry,
)
from tests.prefect_database import put_database

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers", "job")


# --- Disk -------------------------------------------------------------------------------------------------------------

FULL_DISK = """
set -e
size=$1 small=$2 prepared=$3 out=$4
shift 4
mount -t tmpfs -o size="$size"k none "$small"
cp -r "$prepared"/. "$small"
if "$@" 2> "$out"/full.err; then exit 9; fi
cp -r "$small" "$out"/left
"""
"""What the job leaves on a disk that was full is copied to one with room."""


def may_mount() -> bool:
    """Whether this process may have a file system of its own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs user namespaces: without them a disk cannot be filled")
def test_a_full_disk_ends_the_job_in_one_line_and_the_next_one_goes_on(job: Job, tmp_path: Path) -> None:
    small, out = tmp_path / "small", tmp_path / "out"
    small.mkdir()
    out.mkdir()
    # Room for the generator and the plan, and for half of the pictures.
    models, pictures = (job.unbroken / name for name in ("models", "transfers"))
    rest_kib = disk_kib(job.unbroken / "pairs") + disk_kib(job.unbroken / "neutrals")
    room_kib = disk_kib(job.root) + disk_kib(models) + rest_kib + disk_kib(pictures) // 2
    command = ["unshare", "-rm", "bash", "-c", FULL_DISK, "bash", str(room_kib), str(small), str(job.root), str(out)]
    done = subprocess.run(
        [*command, *job.command(small, "--per-identity", PER_IDENTITY, program=in_shards_of(SHARD_PAIRS))],
        env=job.environment(),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    told = (out / "full.err").read_text()
    assert done.returncode == 0, told + done.stdout + done.stderr
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, told
    assert "No space left on device" in errors[0]
    assert "Traceback" not in told
    assert list((out / "left").rglob(".*.tmp")) == []
    kept = digests(out / "left")
    assert kept.items() < job.whole.items()
    assert any(name.startswith("transfers/shards/") for name in kept)
    augment(out / "left")
    assert digests(out / "left") == job.whole
    check_whole(out / "left")


# --- MLflow -----------------------------------------------------------------------------------------------------------


def test_no_mlflow_at_the_start_ends_the_job_in_one_line(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.tasks.errors import RunError

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    requests: list[object] = []
    # Where nobody listens, MLflow's client would try for minutes: it is not even asked.
    monkeypatch.setattr("mlflow.utils.rest_utils.http_request", lambda *asked, **_: requests.append(asked))
    with pytest.raises(RunError, match=r"does not answer .*: start it or set MLFLOW_TRACKING_URI"):
        augment(job.fresh(tmp_path / "root"))
    assert requests == []


def test_a_job_outlives_its_registry_and_its_model_version(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str
) -> None:
    import mlflow

    root, port = job.fresh(tmp_path / "root"), free_port()
    registry = tmp_path / "mlflow.db"
    shutil.copyfile(job.registry, registry)
    command = [quick_python, *mlflow_server(port, registry, tmp_path / "artifacts")[1:]]
    url = f"http://127.0.0.1:{port}"
    with running(command, tmp_path / "mlflow.log", answers=f"{url}/health") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)

        def lose() -> None:
            mlflow.MlflowClient(url, url).delete_model_version("mien-generator", "1")
            os.killpg(server.pid, signal.SIGKILL)

        with once_a_shard_is_there(root, lose) as lost:
            augment(root)
        assert lost.is_set()
    assert digests(root) == job.whole


def test_a_deleted_version_is_told_to_the_next_job(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    from mien.tasks.errors import UsageError

    registry = tmp_path / "mlflow.db"
    shutil.copyfile(job.registry, registry)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry}")
    url = f"sqlite:///{registry}"
    mlflow.MlflowClient(url, url).delete_model_version("mien-generator", "1")
    with pytest.raises(UsageError, match=r"mien-generator/1 is not in the registry \(it is empty\)"):
        augment(job.fresh(tmp_path / "root"))


# --- Weights ----------------------------------------------------------------------------------------------------------


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_a_damaged_copy_of_the_weights_is_fetched_again(job: Job, tmp_path: Path) -> None:
    root = job.fresh(tmp_path / "root")
    augment(root, dry_run=True)
    assert list(root.glob("models/*/generator.safetensors")) == []
    augment(root, per_identity=1, set="one-each")
    (weights,) = root.glob("models/*/generator.safetensors")
    flip_a_bit(weights)
    augment(root)
    assert digests(root).items() >= job.whole.items()


def test_registered_weights_that_are_not_the_registered_ones_make_no_face(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.model.errors import WeightsError

    root = job.fresh(tmp_path / "root")
    use_registry(monkeypatch, tmp_path)
    register_generator(str(root), tmp_path / "generator")
    (weights,) = tmp_path.rglob("artifacts/**/generator.safetensors")
    flip_a_bit(weights)
    with pytest.raises(WeightsError, match="are not the ones that were saved there"):
        augment(root)
    assert not any(name.startswith("transfers/") for name in digests(root))


# --- Prefect ----------------------------------------------------------------------------------------------------------

LOST_SHARD_PAIRS = 8


def test_a_lost_prefect_api_is_told_in_one_line_and_the_next_job_goes_on(
    job: Job, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, quick_python: str
) -> None:
    root, port = job.fresh(tmp_path / "root"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    # Less patient than by default, where each call is tried again over a minute.
    home = put_database(tmp_path_factory, tmp_path / "home")
    given = job.environment(PREFECT_API_URL=api, PREFECT_HOME=str(home), PREFECT_CLIENT_MAX_RETRIES="1")
    # Two shards: each task run more meets the lost API once more.
    few = {"per_identity": 4, "candidates": 4}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in few.items()]
    command = job.command(root, *options, program=in_shards_of(LOST_SHARD_PAIRS), python=quick_python)
    server = [quick_python, *prefect_server(port)[1:]]
    with running(server, tmp_path / "prefect.log", given, f"{api}/health") as process:
        losing = once_a_shard_is_there(root, lambda: os.killpg(process.pid, signal.SIGKILL))
        with losing as lost:
            done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=1200, check=False)
        assert lost.is_set()
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(told) == 1, done.stderr
    assert f"the Prefect API at {api} does not answer" in told[0]
    assert "Traceback" not in done.stderr
    augment(root, shard_pairs=LOST_SHARD_PAIRS, **few)
    check_whole(root)
