"""What a transfer job does when something fails under it; docs/operations.md has the same as a table."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest

from benchmarks.servers import running
from benchmarks.small_job import MODEL, NAME, PER_IDENTITY, SHARD_PAIRS, prepare_job, register_generator
from mien import storage
from tests.integration.faulty_s3 import PASSING, FaultyS3, faulty_s3
from tests.integration.servers import free_port
from tests.paths import REPOSITORY

pytestmark = pytest.mark.usefixtures("prefect_server")

RESULT = ("pairs/", "transfers/")


@dataclass(frozen=True)
class Job:
    """A prepared root, the registry of its generator, and what an unbroken job makes of them."""

    root: Path
    registry: Path
    whole: dict[str, str]
    """sha256 by path."""

    def fresh(self, folder: Path) -> Path:
        """A copy of the prepared root."""
        return Path(shutil.copytree(self.root, folder))


def digests(root: Path) -> dict[str, str]:
    paths = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    named = {path.relative_to(root).as_posix(): path for path in paths}
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in named.items() if n.startswith(RESULT)}


def augment(root: str, **settings: Any):
    import mien.tasks.plan.rounds
    from mien.flows.augment import augment_faces

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mien.tasks.plan.rounds, "MIN_SHARD_PAIRS", SHARD_PAIRS)
        return augment_faces(
            identities=NAME,
            expressions=NAME,
            model=MODEL,
            root=root,
            **{"per_identity": PER_IDENTITY, "workers": 1} | settings,
        )


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.chdir(folder)
        prepare_job(str(folder / "root"))
        register_generator(str(folder / "root"), folder / "generator")
        prepared = folder / "prepared"
        shutil.copytree(folder / "root", prepared)
        augment(str(folder / "root"))
        yield Job(prepared, folder / "mlflow.db", digests(folder / "root"))


# --- S3 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(job: Job, s3_endpoint: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyS3, str]]:
    """A prepared root on S3 behind the proxy."""
    store, bucket = boto3.client("s3", endpoint_url=s3_endpoint), s3_url.removeprefix("s3://")
    for path in job.root.rglob("*"):
        if path.is_file():
            store.put_object(Bucket=bucket, Key=f"root/{path.relative_to(job.root).as_posix()}", Body=path.read_bytes())
    with faulty_s3(s3_endpoint) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.url)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield faults, f"{s3_url}/root"


def stored(s3_endpoint: str, url: str) -> dict[str, str]:
    """sha256 by path of what a root on S3 holds of the job, read past the proxy."""
    store, bucket = boto3.client("s3", endpoint_url=s3_endpoint), url.split("/")[2]
    found = store.list_objects_v2(Bucket=bucket, Prefix="root/")["Contents"]
    names = [item["Key"].removeprefix("root/") for item in found]
    read = {n: store.get_object(Bucket=bucket, Key=f"root/{n}")["Body"].read() for n in names if n.startswith(RESULT)}
    return {name: hashlib.sha256(data).hexdigest() for name, data in read.items()}


def test_faults_that_pass_are_tried_again_and_the_job_ends_whole(
    job: Job, faulty: tuple[FaultyS3, str], s3_endpoint: str
) -> None:
    faults, url = faulty
    faults.share = 0.1
    augment(url)
    assert stored(s3_endpoint, url) == job.whole
    met = {fault: faults.done[fault] for fault in PASSING}
    assert sum(met.values()) >= 10
    assert sum(count > 0 for count in met.values()) >= 4, met


def test_expired_credentials_end_the_job_in_one_line_and_the_next_one_goes_on(
    job: Job, faulty: tuple[FaultyS3, str], s3_endpoint: str
) -> None:
    faults, url = faulty
    faults.expire_after = 2
    with pytest.raises(storage.StorageError, match=r"was refused.*check the credentials") as told:
        augment(url)
    assert "\n" not in str(told.value)
    kept = stored(s3_endpoint, url)
    assert sum(name.startswith("transfers/shards/") for name in kept) == 2
    assert kept.items() <= job.whole.items()
    faults.heal()
    augment(url)
    assert stored(s3_endpoint, url) == job.whole


def test_a_missing_bucket_is_named(job: Job, faulty: tuple[FaultyS3, str]) -> None:
    from mien.tasks.errors import UsageError

    with pytest.raises(UsageError, match=r"the bucket of s3://no-such-bucket/.* does not exist: create it"):
        augment("s3://no-such-bucket/root")


# --- Disk -------------------------------------------------------------------------------------------------------------

FULL_DISK = """
set -e
mount -t tmpfs -o size="$2"k none "$1"
cp -r "$3"/. "$1"
if "$4" -m mien.flows.cli.app augment --root "$1" --identities few --expressions few --model "$5" --workers 1 \
    --per-identity 12 --keep-rejected 2> "$6"/full.err; then exit 9; fi
find "$1" -name '.*.tmp' | wc -l > "$6"/left
mount -o remount,size=200m "$1"
"$4" -m mien.flows.cli.app augment --root "$1" --identities few --expressions few --model "$5" --workers 1 \
    --per-identity 12 --keep-rejected
"$4" -m mien.flows.cli.app verify --root "$1" --set few-by-few
"""


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
    used = sum(-(-path.stat().st_size // 4096) * 4 for path in job.root.rglob("*") if path.is_file())
    # Room for the generator and the plan, but not for the pictures.
    models = (job.root.parent / "root" / "models").rglob("*")
    generator = sum(-(-path.stat().st_size // 4096) * 4 for path in models if path.is_file())
    command = ["unshare", "-rm", "bash", "-c", FULL_DISK, "bash", str(small), str(used + generator + 120)]
    done = subprocess.run(
        [*command, str(job.root), sys.executable, MODEL, str(out)],
        env=environment(job),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    told = (out / "full.err").read_text()
    assert done.returncode == 0, told + done.stdout + done.stderr
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, told
    assert "No space left on device" in errors[0]
    assert "Traceback" not in told
    assert (out / "left").read_text().strip() == "0"
    assert "whole" in done.stdout


def environment(job: Job, **more: str) -> dict[str, str]:
    """Of a command of its own, with the Prefect API of the tests."""
    from prefect.settings import PREFECT_API_URL

    return (
        os.environ
        | {
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "MLFLOW_TRACKING_URI": f"sqlite:///{job.registry}",
            "PYTHONPATH": str(REPOSITORY),
        }
        | more
    )


# --- MLflow -----------------------------------------------------------------------------------------------------------


def test_no_mlflow_at_the_start_ends_the_job_in_one_line(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.tasks.errors import RunError

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    begun_s = time.monotonic()
    with pytest.raises(RunError, match=r"does not answer .*: start it or set MLFLOW_TRACKING_URI"):
        augment(str(job.fresh(tmp_path / "root")))
    assert time.monotonic() - begun_s < 60


def test_a_job_outlives_its_registry_and_its_model_version(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    root, port = job.fresh(tmp_path / "root"), free_port()
    registry = tmp_path / "mlflow.db"
    shutil.copyfile(job.registry, registry)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{registry}", "--artifacts-destination", str(tmp_path / "artifacts")]
    url = f"http://127.0.0.1:{port}"
    with running(command, tmp_path / "mlflow.log", answers=f"{url}/health") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)

        def lose() -> None:
            mlflow.MlflowClient(url, url).delete_model_version("mien-generator", "1")
            os.killpg(server.pid, signal.SIGKILL)

        with once_a_shard_is_there(root, lose) as lost:
            augment(str(root))
        assert lost.is_set()
    assert digests(root) == job.whole


class once_a_shard_is_there:  # noqa: N801  # reads as a clause
    """Does something while the block runs, as soon as a generated shard lies in the root."""

    def __init__(self, root: Path, act: Callable[[], None]) -> None:
        self._root, self._act = root, act
        self._done, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            if any((self._root / "transfers" / "shards").glob("*.parquet")):
                self._act()
                self._done.set()
                return
            time.sleep(0.01)

    def __enter__(self) -> threading.Event:
        self._thread.start()
        return self._done

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_a_deleted_version_is_told_to_the_next_job(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    from mien.tasks.errors import UsageError

    registry = tmp_path / "mlflow.db"
    shutil.copyfile(job.registry, registry)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry}")
    url = f"sqlite:///{registry}"
    mlflow.MlflowClient(url, url).delete_model_version("mien-generator", "1")
    with pytest.raises(UsageError, match=r"mien-generator/1 is not in the registry \(it is empty\)"):
        augment(str(job.fresh(tmp_path / "root")))


# --- Weights ----------------------------------------------------------------------------------------------------------


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_a_damaged_copy_of_the_weights_is_fetched_again(job: Job, tmp_path: Path) -> None:
    root = job.fresh(tmp_path / "root")
    augment(str(root), dry_run=True)
    assert not (root / "models").exists()
    augment(str(root), per_identity=1)
    (weights,) = root.glob("models/*/generator.safetensors")
    flip_a_bit(weights)
    augment(str(root))
    assert digests(root).items() >= job.whole.items()


def test_registered_weights_that_are_not_the_registered_ones_make_no_face(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.model.errors import WeightsError

    root = job.fresh(tmp_path / "root")
    (weights,) = job.registry.parent.rglob("artifacts/**/generator.safetensors")
    kept = weights.read_bytes()
    try:
        flip_a_bit(weights)
        with pytest.raises(WeightsError, match="are not the ones that were saved there"):
            augment(str(root))
    finally:
        weights.write_bytes(kept)
    assert not any(name.startswith("transfers/") for name in digests(root))


# --- Prefect ----------------------------------------------------------------------------------------------------------


def test_a_lost_prefect_api_is_told_in_one_line_and_the_next_job_goes_on(job: Job, tmp_path: Path) -> None:
    root, port = job.fresh(tmp_path / "root"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    # Less patient than by default, where each call is tried again over a minute.
    given = environment(job, PREFECT_API_URL=api, PREFECT_HOME=str(tmp_path / "home"), PREFECT_CLIENT_MAX_RETRIES="1")
    server = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    command = [
        sys.executable, "-m", "mien.flows.cli.app", "augment", "--root", str(root), "--identities", NAME,
        "--expressions", NAME, "--model", MODEL, "--workers", "1", "--per-identity", "17", "--candidates", "17",
    ]  # fmt: skip
    with running(server, tmp_path / "prefect.log", given, f"{api}/health") as process:
        losing = once_a_shard_is_there(root, lambda: os.killpg(process.pid, signal.SIGKILL))
        with losing as lost:
            done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=500, check=False)
        assert lost.is_set()
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(told) == 1, done.stderr
    assert f"the Prefect API at {api} does not answer" in told[0]
    assert "Traceback" not in done.stderr
    augment(str(root), per_identity=17, candidates=17)
    from mien.flows.verify import verify_set

    assert verify_set(set=f"{NAME}-by-{NAME}", root=str(root)).faults == ()
