"""`make up` as its user meets it: servers that nobody else can use, deployments, a schedule that runs."""

from __future__ import annotations

import base64
import json
import os
import shlex
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deployments.schedules import deployments_of
from deployments.servers import free_port
from tests.integration.flow_calls import table_rows
from tests.paths import REPOSITORY
from tests.prefect_database import put_database

FEW = [f"sample:orl/s{person}/{photo}.pgm" for person in (1, 2) for photo in (1, 5)]


@dataclass(frozen=True)
class Up:
    """What `make up` started, and what its user's terminal has in its environment."""

    folder: Path
    environment: dict[str, str]
    printed: str
    python: str

    def prefect(self, *arguments: str) -> str:
        done = self.run("-m", "prefect", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.python, arguments, self.environment)


def _run(python: str, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        cwd=REPOSITORY, env=dict(environment), capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip


def _make(target: str, environment: Mapping[str, str], python: str = sys.executable) -> str:
    """As make does; where `python` is the quick one, servers, worker and flow runs start at once, too."""
    done = _run(python, ["-m", "deployments.local", target], environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, quick_python: str) -> Iterator[Up]:
    """Servers on free ports, with the project's deployments and a worker."""
    folder = tmp_path_factory.mktemp("up")
    of_tests = ("PREFECT_", "MLFLOW_TRACKING", "MIEN_ALLOWED_CLASSES")
    bare = {k: v for k, v in os.environ.items() if not k.startswith(of_tests)} | {
        "MIEN_RUN": str(folder / "run"),
        "MIEN_SERVERS": str(folder / "servers"),
        "MIEN_DEMO": str(folder / "no demo"),
        "MIEN_PREFECT_PORT": str(free_port()),
        "MIEN_MLFLOW_PORT": str(free_port()),
        "PREFECT_HOME": str(folder / "client"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    }
    put_database(tmp_path_factory, folder / "servers" / "prefect")
    try:
        printed = _make("up", bare, quick_python)
        lines = (folder / "run/environment.sh").read_text().splitlines()
        exported = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        yield Up(folder, bare | exported, printed, quick_python)
    finally:
        _make("down", bare)
    assert not [process for process in psutil.process_iter() if _belongs_to(process, folder)]


def _belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("MIEN_RUN") == str(folder / "run") and process.pid != os.getpid()
    except psutil.Error:
        return False


def _asked(url: str, method: str = "GET", body: object = None, **headers: str) -> int:
    """The status that a request is answered with."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def test_prefect_takes_no_request_of_a_page_from_elsewhere(up: Up) -> None:
    api = up.environment["PREFECT_API_URL"]
    login = _basic(up.environment["PREFECT_API_AUTH_STRING"])
    evil = {"Origin": "https://evil.example"}
    assert _asked(f"{api}/deployments/filter", "POST", {}) in (401, 403)
    assert _asked(f"{api}/deployments/filter", "POST", {}, **evil) in (401, 403)
    # Neither a page that knows no CSRF token, nor one that has guessed a login.
    assert _asked(f"{api}/deployments/filter", "POST", {}, Authorization=login, **evil) == 403
    assert _asked(f"{api}/deployments/filter", "POST", {}, Authorization=_basic("mien:guessed")) in (401, 403)
    # Nor one that has given loopback a name of its own.
    assert _asked(f"{api}/health", Host="evil.example") == 400
    preflight = {"Access-Control-Request-Method": "POST", **evil}
    assert _asked(f"{api}/deployments/filter", "OPTIONS", **preflight) == 400


def test_mlflow_asks_for_its_own_login_and_answers_to_loopback_alone(up: Up) -> None:
    uri, name = up.environment["MLFLOW_TRACKING_URI"], up.environment["MLFLOW_TRACKING_USERNAME"]
    login = _basic(f"{name}:{up.environment['MLFLOW_TRACKING_PASSWORD']}")
    search = f"{uri}/api/2.0/mlflow/experiments/search?max_results=1"
    assert _asked(search) == 401
    assert _asked(search, Authorization=login) == 200
    assert _asked(search, Authorization=login, Host="evil.example") == 403
    create = f"{uri}/api/2.0/mlflow/experiments/create"
    assert _asked(create, "POST", {"name": "x"}, Authorization=login, Origin="https://evil.example") == 403


def test_the_logins_are_printed_and_private(up: Up) -> None:
    assert up.environment["PREFECT_API_AUTH_STRING"] in up.printed
    assert up.environment["MLFLOW_TRACKING_PASSWORD"] in up.printed
    secret = {up.environment["PREFECT_API_AUTH_STRING"].partition(":")[2], up.environment["MLFLOW_TRACKING_PASSWORD"]}
    for path in up.folder.rglob("*"):
        if path.is_file() and any(each.encode() in path.read_bytes() for each in secret):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in ("run", "servers"):
        assert stat.S_IMODE((up.folder / folder).stat().st_mode) == 0o700


DEPLOYMENTS = """
from prefect.client.orchestration import get_client

with get_client(sync_client=True) as client:
    flows = {flow.id: flow.name for flow in client.read_flows()}
    for each in client.read_deployments():
        print(f"{flows[each.flow_id]}/{each.name}", bool(each.description))
"""


def test_all_deployments_are_there(up: Up) -> None:
    found = up.run("-c", DEPLOYMENTS).stdout.splitlines()
    assert sorted(found) == sorted(f"{name} True" for name in deployments_of())
    nightly = up.prefect("deployment", "inspect", "nightly/local")
    assert "0 2 * * *" in nightly
    assert "'active': False" in nightly


def test_a_worker_prepares_faces(up: Up, tmp_path: Path) -> None:
    images = json.dumps(FEW)
    told = up.prefect(
        "deployment", "run", "prepare-faces/local", "--watch",
        "--param", f"root={tmp_path}", "--param", f"images={images}", "--param", "set=two",
    )  # fmt: skip
    assert "Completed" in told
    faces = table_rows(tmp_path, "faces", "two")
    assert len(faces) == len(FEW)
    assert {face["identity"] for face in faces} == {"s1", "s2"}
    assert {face["status"] for face in faces} == {"ok"}


CLIENT = """
import json, sys, time
from datetime import timedelta
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.schedules import IntervalSchedule

with get_client(sync_client=True) as client:
    deployment = client.read_deployment_by_name("prepare-faces/local")
    if sys.argv[1] == "switch on":
        every = IntervalSchedule(interval=timedelta(seconds=float(sys.argv[2])))
        client.create_deployment_schedules(deployment.id, [(every, True)], parameters=json.loads(sys.argv[3]))
    elif sys.argv[1] == "switch off":
        for schedule in client.read_deployment_schedules(deployment.id):
            client.update_deployment_schedule(deployment.id, schedule.id, active=False)
    else:
        expected, seen, end_s = set(sys.argv[2:]), set(), time.monotonic() + 240
        of_deployment = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]))
        while not expected <= seen and time.monotonic() < end_s:
            runs = client.read_flow_runs(flow_run_filter=of_deployment)
            seen |= {run.state_name for run in runs if run.auto_scheduled}
            time.sleep(1)
        print(*sorted(seen))
"""
"""Switches a schedule of prepare-faces on or off, or waits until its runs have been seen in some states."""


def test_a_schedule_that_is_switched_on_runs(up: Up, tmp_path: Path) -> None:
    def client(*arguments: str) -> list[str]:
        done = up.run("-c", CLIENT, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    parameters = json.dumps({"images": FEW[:1], "set": "one", "root": str(tmp_path)})
    client("switch on", "30", parameters)
    seen = client("wait", "Scheduled", "Completed")
    client("switch off")
    assert {"Scheduled", "Completed"} <= set(seen)


NIGHTS = """
import time
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

with get_client(sync_client=True) as client:
    deployment = client.read_deployment_by_name("nightly/local")
    nights = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]))
    at_once, seen, runs, end_s = 0, set(), [], time.monotonic() + 280
    while time.monotonic() < end_s and not (runs and all(run.state.is_final() for run in runs)):
        runs = [run for run in client.read_flow_runs(flow_run_filter=nights) if not run.auto_scheduled]
        seen |= {run.state_name for run in runs}
        at_once = max(at_once, sum(run.state.is_running() for run in runs))
        time.sleep(0.5)
    print(len(runs), at_once, "AwaitingConcurrencySlot" in seen, *sorted(run.state_name for run in runs))
    print(*(run.state.message for run in runs), sep="\\n")
"""
"""Waits for the runs of nightly/local; prints how many there are, how many ran at once, and how they ended."""


def test_of_two_nights_at_once_the_second_waits_for_the_first(up: Up, tmp_path: Path) -> None:
    parameters = json.dumps({"images": FEW, "set": "two", "root": str(tmp_path)})
    for _ in range(2):
        up.prefect("deployment", "run", "nightly/local", "--params", parameters)
    done = up.run("-c", NIGHTS)
    summary, *messages = done.stdout.splitlines()
    # There is no generator yet: the photos are prepared, and each night says what is missing.
    assert summary == "2 1 True Failed Failed", done.stderr
    assert ["train first" in message for message in messages] == [True, True], messages
    assert len(table_rows(tmp_path, "faces", "two")) == len(FEW)


SCHEDULES = """
import sys
from prefect.client.orchestration import get_client

with get_client(sync_client=True) as client:
    deployment = client.read_deployment_by_name("nightly/local")
    for schedule in deployment.schedules:
        if sys.argv[1:] and schedule.slug == "night":
            client.update_deployment_schedule(deployment.id, schedule.id, active=sys.argv[1] == "on")
    limit = deployment.global_concurrency_limit
    print(limit.limit, deployment.concurrency_options.collision_strategy.value)
    print(*((schedule.slug, schedule.active) for schedule in client.read_deployment_schedules(deployment.id)))
"""
"""Prints the limit of nightly/local and its schedules, after switching that of the night on or off."""


@pytest.mark.long
def test_a_schedule_that_is_switched_on_stays_on(up: Up) -> None:
    def schedules(*switch: str) -> list[str]:
        done = up.run("-c", SCHEDULES, *switch)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert schedules() == ["1 ENQUEUE", "('night', False)"]
    assert schedules("on")[1] == "('night', True)"
    # As a user's: what follows meets processes that have started in truth.
    # That `prefect deploy --all` alone keeps them is tested with a server that has nothing else.
    _make("down", up.environment)
    _make("up", up.environment)
    assert schedules() == ["1 ENQUEUE", "('night', True)"]
    schedules("off")


LAST_RUN = """
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort

with get_client(sync_client=True) as client:
    (run,) = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)
    print(run.state_name, run.state.message)
"""


def test_the_parameters_of_a_run_name_no_code(up: Up, tmp_path: Path) -> None:
    """The worker could import the class: it lies in the folder that the worker runs in."""
    up.run(
        *("-m", "prefect", "deployment", "run", "prepare-faces/local", "--watch"),
        *("--param", f"root={tmp_path}", "--param", "faces=tests.own_detector:DarkSquares", "--param", "set=two"),
    )
    told = up.run("-c", LAST_RUN).stdout
    assert told.startswith("Failed")
    assert "tests.own_detector:DarkSquares is code" in told
    assert "MIEN_ALLOWED_CLASSES" in told
    assert not list(tmp_path.glob("faces/**/*.parquet"))
