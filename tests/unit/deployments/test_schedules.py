"""Deploying again leaves schedules as they are: a real `prefect deploy` on a real API."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

from deployments.schedules import FILE, deployments_of
from tests.paths import REPOSITORY

DEPLOYMENT = "verify-set/weekly"
SLUG = "verification"


@pytest.fixture
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name="mien", type="process"))
        yield client
        client.delete_deployment(client.read_deployment_by_name(DEPLOYMENT).id)


def deploy(python: str) -> None:
    command = [
        python,
        "-m",
        "prefect",
        "--no-prompt",
        "deploy",
        "--name",
        DEPLOYMENT,
        "--prefect-file",
        str(FILE),
    ]
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def present(client: SyncPrefectClient) -> dict[str, DeploymentSchedule]:
    """The schedules that are there, by slug."""
    schedules = client.read_deployment_by_name(DEPLOYMENT).schedules
    found = {str(schedule.slug): schedule for schedule in schedules}
    assert len(found) == len(schedules)
    return found


def test_deploying_again_leaves_schedules_as_they_are(client: SyncPrefectClient, quick_python: str) -> None:
    deploy(quick_python)
    assert {slug: schedule.active for slug, schedule in present(client).items()} == {SLUG: False}
    deployment = client.read_deployment_by_name(DEPLOYMENT).id

    # One is switched on, another one is made by hand: both stay, and nothing is added.
    client.update_deployment_schedule(deployment, present(client)[SLUG].id, active=True)
    hourly, parameters = IntervalSchedule(interval=timedelta(hours=1)), {"set": "team"}
    client.create_deployment_schedules(deployment, [(hourly, True)], parameters=parameters)
    deploy(quick_python)
    after = present(client)
    (own,) = (slug for slug in after if slug != SLUG)
    assert [after[SLUG].active, after[own].active, len(after)] == [True, True, 2]
    assert (after[own].schedule.interval, after[own].parameters) == (timedelta(hours=1), parameters)

    # One is switched off again, and the other one gets another time.
    client.update_deployment_schedule(deployment, after[own].id, active=False, parameters=parameters)
    early = CronSchedule(cron="0 3 * * 0", timezone="UTC")
    client.update_deployment_schedule(deployment, after[SLUG].id, schedule=early)
    deploy(quick_python)
    deploy(quick_python)
    last = present(client)
    (changed,) = (slug for slug in last if slug not in (SLUG, own))
    assert (last[changed].schedule.cron, last[changed].active) == ("0 3 * * 0", True)
    assert (last[SLUG].schedule.cron, last[SLUG].active) == ("0 9 * * 0", False)
    assert (last[own].active, last[own].parameters, len(last)) == (False, parameters, 3)


def test_every_schedule_of_the_file_takes_its_switch_from_what_is_there() -> None:
    entries = yaml.safe_load(FILE.read_text())["deployments"]
    written = [schedule for entry in entries for schedule in entry.get("schedules", ())]
    assert len(written) >= 6
    assert len({schedule["slug"] for schedule in written}) == len(written)
    for schedule in written:
        assert schedule["active"] == f"{{{{ kept.{schedule['slug']} }}}}"
    known = deployments_of()
    assert len(known) == len(entries)
    assert {each.slug for scheduled in known.values() for each in scheduled} == {each["slug"] for each in written}


@pytest.mark.parametrize("deployment", ["nightly/local", "train-generator/weekly"])
def test_nights_and_trainings_run_one_at_a_time(deployment: str) -> None:
    entries = yaml.safe_load(FILE.read_text())["deployments"]
    limits = dict(zip(deployments_of(), (entry.get("concurrency_limit") for entry in entries), strict=True))
    assert limits[deployment] == {"limit": 1, "collision_strategy": "ENQUEUE"}
