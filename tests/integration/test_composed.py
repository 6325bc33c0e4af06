"""The services of compose.yaml as processes: Prefect and MLflow on Postgres, a worker, a whole night on S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import pytest

from benchmarks.small_job import MODEL, NAME, PHOTOS
from mien.storage import Root, read_set
from tests.integration.composed import Composed, free_ports, postgres, postgres_programs, query
from tests.integration.flow_calls import CROP_PX, UNJUDGED, table_rows

PROGRAMS = postgres_programs()
ROOT = "s3://mien/data"
PREPARE = f"""
from pathlib import Path
from benchmarks.small_job import prepare_job, register_generator
prepare_job({ROOT!r})
register_generator({ROOT!r}, Path.cwd() / "untrained" / "generator")
"""

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="no Postgres here: apt-get install postgresql")


@pytest.fixture
def composed(
    s3_endpoint: str, tmp_path: Path, quick_python: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Composed]:
    """All services, as `docker compose up` starts them, each once those answer that it waits for."""
    port = urlsplit(s3_endpoint).port
    assert port is not None
    assert PROGRAMS is not None
    secrets = {
        "POSTGRES_PASSWORD": "of4postgres", "STORAGE_USER": "mien", "STORAGE_PASSWORD": "of4storage",
        "PREFECT_AUTH": "mien:of4prefect",
    }  # fmt: skip
    services = Composed(free_ports(port), secrets, tmp_path, quick_python)
    for name, value in services.environment("worker").items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    fsspec.filesystem("s3").mkdir("mien")
    with (
        postgres(PROGRAMS, services),
        services.runs("prefect", "/api/ready"),
        services.runs("mlflow", "/health"),
    ):
        deployed = services.run("deploy")
        assert deployed.returncode == 0, deployed.stderr
        with services.runs("worker"):
            yield services
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def flow_run(services: Composed, deployment: str, parameters: dict[str, object]) -> str:
    """Starts a run of a deployment as a user does, waits for its end; what was printed."""
    command = ["-m", "prefect", "deployment", "run", deployment, "--params", json.dumps(parameters), "--watch"]
    done = services.run("worker", *command)
    log = (services.folder / "worker/worker.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log[-4000:]
    return done.stdout


@pytest.mark.long
def test_a_night_runs_on_the_services_of_production(composed: Composed) -> None:
    prepared = composed.run("worker", "-c", PREPARE)
    assert prepared.returncode == 0, prepared.stderr
    few = {"images": PHOTOS, "set": NAME, "crop_size": CROP_PX}
    night = {"per_identity": 2, "augmented": "nights", "workers": 1, "settings": UNJUDGED}
    flow_run(composed, "nightly/local", few | night)

    # What was made lies on S3, whole, by the champion that the registry has.
    rows = [row for row in table_rows(ROOT, "transfers", "nights") if row["status"] == "ok"]
    people = {row["identity"] for row in rows}
    assert people == {"s1", "s2", "s3", "s4"}
    assert {row["model_uri"] for row in rows} == {MODEL}
    assert set(read_set(Root(ROOT), "nights").tables) >= {"pairs", "transfers"}
    verified = composed.run("worker", "-m", "mien.flows.cli.app", "verify", "--root", ROOT, "--set", "nights")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    # Both servers keep what they know in Postgres, and MLflow its files on S3.
    states = query(composed, "prefect", "SELECT state_name, deployment_id IS NOT NULL FROM flow_run")
    assert {name for name, _ in states} == {"Completed"}
    assert [deployed for _, deployed in states].count(True) == 1
    (versions,) = query(composed, "mlflow", "SELECT name, version FROM model_versions")
    assert f"models:/{versions[0]}/{versions[1]}" == MODEL
    assert fsspec.filesystem("s3").find("s3://mien/mlflow")
    assert not [path for path in composed.folder.rglob("*.db") if "worker" not in path.parts]

    # Prefect does nothing for who has no login.
    listed = ["-m", "prefect", "work-pool", "ls"]
    assert composed.run("worker", *listed).returncode == 0
    refused = composed.run("worker", *listed, without="PREFECT_API_AUTH_STRING")
    assert refused.returncode != 0
    assert "401" in refused.stdout + refused.stderr
