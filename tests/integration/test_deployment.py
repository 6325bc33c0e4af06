"""The deployments as a user meets them: a Prefect server, a process work pool, a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.servers import free_port, prefect_server, running
from tests.integration.flow_calls import table_rows
from tests.paths import REPOSITORY

PREFECT = str(Path(sys.executable).parent / "prefect")


@dataclass(frozen=True)
class Prefect:
    """A running server, by the command line and by its API."""

    api: str
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

    def asked(self, kind: str) -> list[dict[str, Any]]:
        """All that the server has of a kind."""
        asked = urllib.request.Request(f"{self.api}/{kind}/filter", b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    @property
    def flow_names(self) -> dict[str, str]:
        return {flow["id"]: flow["name"] for flow in self.asked("flows")}


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """A Prefect server with its own database, the project's deployments and a worker that runs them."""
    folder, port = tmp_path_factory.mktemp("prefect"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    given = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = Prefect(api, {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | given)
    with running(prefect_server(port), folder / "server.log", given, answers=f"{api}/health"):
        command("work-pool", "create", "mien", "--type", "process")
        command("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        with running([PREFECT, "worker", "start", "--pool", "mien"], folder / "worker.log", given):
            yield command


def test_all_deployments_are_there_and_the_nightly_one_waits_to_be_switched_on(prefect: Prefect) -> None:
    deployments = {f"{prefect.flow_names[d['flow_id']]}/{d['name']}": d for d in prefect.asked("deployments")}
    expected = {"prepare-faces/local", "train-generator/local", "augment-faces/nightly", "face-augmentation/demo"}
    assert expected <= set(deployments)
    assert all(deployments[name]["description"] for name in expected)
    (nightly,) = deployments["augment-faces/nightly"]["schedules"]
    assert nightly["schedule"]["cron"] == "0 2 * * *"
    assert nightly["active"] is False
    assert "augment-faces/nightly" in prefect("deployment", "ls")


def test_a_worker_prepares_faces(prefect: Prefect, tmp_path: Path) -> None:
    images = json.dumps(["sample:orl/s1", "sample:orl/s2"])
    told = prefect(
        "deployment", "run", "prepare-faces/local", "--watch",
        "--param", f"root={tmp_path}", "--param", f"images={images}", "--param", "name=two",
    )  # fmt: skip
    assert "Completed" in told
    faces = table_rows(tmp_path, "faces", "two")
    assert len(faces) == 20
    assert {face["identity"] for face in faces} == {"s1", "s2"}
    assert sum(face["status"] == "ok" for face in faces) >= 19
