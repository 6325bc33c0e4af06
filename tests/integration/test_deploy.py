"""`mien deploy` from an empty folder: a worker in another folder runs the flows, and what users have set stays."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.schedules import deployments_of
from deployments.servers import free_port, prefect_server, running
from mien.flows.cli.app import main
from mien.flows.cli.deploy import IMAGE
from tests.integration.flow_calls import table_rows
from tests.paths import REPOSITORY
from tests.prefect_database import put_database


@dataclass(frozen=True)
class Server:
    """A Prefect server, as a terminal has it in its environment."""

    environment: Mapping[str, str]
    folder: Path
    """Empty, and outside of the project."""
    python: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *command],
            cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    @contextmanager
    def in_use(self) -> Iterator[SyncPrefectClient]:
        """This process uses the server while the block runs."""
        with (
            temporary_settings({PREFECT_API_URL: self.environment["PREFECT_API_URL"]}),
            get_client(sync_client=True) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, quick_python: str) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("deploy"), free_port()
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACKING"))}
    environment = bare | {
        "PYTHONPATH": str(REPOSITORY),
        "PREFECT_HOME": str(folder / "client"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    (folder / "empty").mkdir()
    home = environment | {"PREFECT_HOME": str(put_database(tmp_path_factory, folder / "server"))}
    command = [quick_python, *prefect_server(port)[1:]]
    with running(command, folder / "prefect.log", home, f"http://127.0.0.1:{port}/api/health"):
        yield Server(environment, folder / "empty", quick_python)


def test_a_worker_in_another_folder_runs_what_was_deployed_from_an_empty_one(server: Server, tmp_path: Path) -> None:
    deployed = server.run("-m", "mien.flows.cli.app", "deploy", "--pool", "faces", "--type", "process")
    assert deployed.returncode == 0, deployed.stderr
    assert f"root {server.folder / 'data'}" in deployed.stdout
    assert all(name in deployed.stdout for name in deployments_of())
    assert list(server.folder.iterdir()) == []

    parameters = {
        "images": ["sample:orl/s1/1.pgm", "sample:orl/s2/1.pgm"],
        "set": "two",
        "root": str(tmp_path / "root"),
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    started = server.run(
        "-m", "prefect", "deployment", "run", "prepare-faces/local", "--params", json.dumps(parameters)
    )
    assert started.returncode == 0, started.stderr
    worker = subprocess.run(
        [server.python, "-m", "prefect", "worker", "start", "--pool", "faces", "--type", "process", "--run-once"],
        cwd=elsewhere, env=dict(server.environment), capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    with server.in_use() as client:
        (state,) = (run.state_name for run in client.read_flow_runs())
    assert state == "Completed", worker.stdout + worker.stderr
    assert {face["identity"] for face in table_rows(tmp_path / "root", "faces", "two")} == {"s1", "s2"}
    assert list(elsewhere.iterdir()) == []


def night(client: SyncPrefectClient) -> dict[str, Any]:
    """What the server has of nightly/local."""
    deployment = client.read_deployment_by_name("nightly/local")
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    assert limit is not None
    assert options is not None
    return {
        "schedules": sorted((each.slug, each.active, str(each.parameters)) for each in deployment.schedules),
        "limit": (limit.limit, options.collision_strategy.value),
        "root": deployment.parameters["root"],
        "entrypoint": deployment.entrypoint,
        "job": deployment.job_variables,
        "pull": deployment.pull_steps,
    }


def test_deploying_again_keeps_schedules_and_limits(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with server.in_use() as client:
        assert main(["deploy", "--pool", "faces", "--root", "s3://bucket/a"]) == 0
        deployment = client.read_deployment_by_name("nightly/local")
        (of_file,) = deployment.schedules
        client.update_deployment_schedule(deployment.id, of_file.id, active=True)
        own = CronSchedule(cron="0 3 * * *", timezone="UTC")
        client.create_deployment_schedules(deployment.id, [(own, True)], parameters={"set": "team"})
        capsys.readouterr()
        for _ in range(2):
            assert main(["deploy", "--pool", "faces", "--root", "s3://bucket/b/"]) == 0
            assert "schedules that are on: night" in capsys.readouterr().out
        found = night(client)
    (by_hand,) = (slug for slug, _, _ in found["schedules"] if slug != "night")
    assert found == {
        "schedules": sorted([("night", True, "{}"), (by_hand, True, "{'set': 'team'}")]),
        "limit": (1, "ENQUEUE"),
        "root": "s3://bucket/b",
        "entrypoint": "mien.flows.nightly.nightly",
        "job": {},
        "pull": [],
    }


def test_containers_get_an_image_and_a_root_that_outlives_them(server: Server) -> None:
    with server.in_use() as client:
        assert main(["deploy", "--pool", "boxes", "--type", "docker", "--image", "registry/mien:9"]) == 0
        found = night(client)
        assert found["job"] == {"image": "registry/mien:9", "volumes": ["mien-data:/data"]}
        assert found["root"] == "/data"
        assert main(["deploy", "--pool", "cluster", "--type", "kubernetes", "--root", "s3://bucket/prefix"]) == 0
        assert night(client)["root"] == "s3://bucket/prefix"
        types = {pool.name: pool.type for pool in client.read_work_pools()}
        assert types.items() >= {"boxes": "docker", "cluster": "kubernetes"}.items()
        templates = [client.read_work_pool(name).base_job_template for name in ("boxes", "cluster")]
    assert all("image" in template["variables"]["properties"] for template in templates)


def test_runs_get_the_job_variables_that_are_named(server: Server) -> None:
    named = ["--job-variable", "namespace=faces", "--job-variable", 'env={"OMP_NUM_THREADS": "1"}']
    command = ["deploy", "--pool", "named", "--type", "kubernetes", "--root", "s3://bucket/prefix"]
    with server.in_use() as client:
        assert main([*command, *named]) == 0
        expected = {"image": IMAGE, "namespace": "faces", "env": {"OMP_NUM_THREADS": "1"}}
        # Those of a deployment of before stay beside them.
        assert night(client)["job"].items() >= expected.items()
        assert main([*command, "--job-variable", "namespace=others"]) == 0
        assert night(client)["job"].items() >= (expected | {"namespace": "others"}).items()


def test_the_content_of_a_key_is_no_parameter(server: Server) -> None:
    """The server refuses it before it stores a run."""
    key = "cert.pem,-----BEGIN PRIVATE KEY-----\nPLANTED\n-----END PRIVATE KEY-----\n"
    with server.in_use() as client:
        assert main(["deploy", "--pool", "keys"]) == 0
        deployment = client.read_deployment_by_name("export-faces/local").id
        with pytest.raises(PrefectHTTPStatusError):
            client.create_flow_run_from_deployment(deployment, parameters={"sign": key})
        client.create_flow_run_from_deployment(deployment, parameters={"sign": "a.pem,a.key"})
        stored = [run.parameters for run in client.read_flow_runs()]
    assert [each["sign"] for each in stored if "sign" in each] == ["a.pem,a.key"]


def test_a_pool_of_another_type_is_left_alone(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with server.in_use():
        assert main(["deploy", "--pool", "taken"]) == 0
        capsys.readouterr()
        assert main(["deploy", "--pool", "taken", "--type", "docker"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "the pool taken is of type process" in shown.err
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--type", "kubernetes"], "--root s3://bucket/prefix"),
        (["--type", "docker", "--root", "data"], "write an absolute path"),
        (["--image", "mien:1"], "--image is for docker and kubernetes"),
        (["--file", "missing.yaml"], "missing.yaml cannot be read"),
        (["--file", __file__], "is no list of deployments"),
        (["--job-variable", "namespace"], "write NAME=VALUE"),
        ([], "set PREFECT_API_URL"),
    ],
)
def test_what_cannot_be_deployed_is_said_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert main(["deploy", "--pool", "new", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert line in shown.err
    assert len(shown.err.splitlines()) == 1
