"""The deployments as a user meets them: a Prefect server, a process work pool, a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mien import storage
from tests.integration.servers import free_port, wait_for
from tests.paths import REPOSITORY

PREFECT = str(Path(sys.executable).parent / "prefect")


@dataclass(frozen=True)
class Prefect:
    """A running server, as the command line is told of it."""

    environment: dict[str, str]

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [PREFECT, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """A Prefect server with its own database, the project's deployments and a worker that runs them."""
    folder = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "log").open("wb") as log:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([PREFECT, *arguments], cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
            started.append(process)
            return process

        try:
            server = start("server", "start", "--host", "127.0.0.1", "--port", str(port))
            wait_for(f"http://127.0.0.1:{port}/api/health", server)
            command = Prefect(environment)
            command("work-pool", "create", "mien", "--type", "process")
            command("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
            start("worker", "start", "--pool", "mien")
            yield command
        finally:
            for process in reversed(started):
                _end(process)


def test_all_deployments_are_there_and_the_nightly_one_waits_to_be_switched_on(prefect: Prefect) -> None:
    listed = json.loads(prefect("deployment", "ls", "--output", "json"))
    names = {f"{deployment['flow_name']}/{deployment['name']}" for deployment in listed if "flow_name" in deployment}
    expected = {"prepare-faces/local", "train-generator/local", "augment-faces/nightly", "face-augmentation/demo"}
    for name in expected:
        assert not names or name in names
        described = prefect("deployment", "inspect", name)
        assert "description" in described
    nightly = prefect("deployment", "inspect", "augment-faces/nightly")
    assert "0 2 * * *" in nightly
    assert "'active': False" in nightly


def test_a_run_out_of_bounds_is_refused_before_it_is_scheduled(prefect: Prefect) -> None:
    for parameter in ("per_identity=-5", "quality=900", "max_pose_difference=-1", "set=../elsewhere"):
        command = [PREFECT, "deployment", "run", "augment-faces/nightly", "--param", parameter]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=prefect.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode != 0, parameter
        assert parameter.partition("=")[0] in done.stdout + done.stderr
    assert json.loads(prefect("flow-run", "ls", "--output", "json")) == []


def test_a_worker_prepares_faces(prefect: Prefect, tmp_path: Path) -> None:
    images = json.dumps(["sample:orl/s1", "sample:orl/s2"])
    told = prefect(
        "deployment", "run", "prepare-faces/local", "--watch",
        "--param", f"root={tmp_path}", "--param", f"images={images}", "--param", "set=two",
    )  # fmt: skip
    assert "Completed" in told
    faces = storage.open_table(str(tmp_path), "faces", "two").to_table(columns=["identity", "status"]).to_pylist()
    assert len(faces) == 20
    assert {face["identity"] for face in faces} == {"s1", "s2"}
    assert sum(face["status"] == "ok" for face in faces) >= 19
