"""A step of `prefect deploy`: the schedules that are there stay as they are.

Prefect would switch a schedule on or off as `prefect.yaml` says, with each deployment anew, and would delete those that
have no slug. So this runs first, as the `build` of `prefect.yaml`, which takes the word on each of its schedules from
here. A schedule that a user has made or changed gets a slug of its own, and Prefect leaves it alone. The schedule of
the file is then added beside it, switched off.

Prefect loads this file as a script: it imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

FILE = Path(__file__).with_name("prefect.yaml")


@dataclass(frozen=True)
class Scheduled:
    """A schedule of the file."""

    deployment: str
    """`flow/name`, as Prefect names it."""
    slug: str
    schedule: CronSchedule

    def is_that_of(self, present: DeploymentSchedule) -> bool:
        """Whether nobody has changed it, but for switching it."""
        same_times = present.schedule.model_dump() == self.schedule.model_dump()
        return present.slug == self.slug and same_times and not present.parameters


def deployments_of(file: Path = FILE) -> dict[str, list[Scheduled]]:
    """The deployments of the file, by `flow/name`, with their schedules."""
    return {name: list(_scheduled(name, entry)) for name, entry in _entries(file)}


def keep_schedules() -> dict[str, bool]:
    """Of each schedule of the file, by slug, whether it is switched on now; False where it is not there yet."""
    active: dict[str, bool] = {}
    with get_client(sync_client=True) as client:
        for name, scheduled in deployments_of().items():
            active |= {each.slug: False for each in scheduled}
            active |= _switched(client, name, scheduled)
    return active


def _entries(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in yaml.safe_load(file.read_text())["deployments"]:
        flow = entry["entrypoint"].rpartition(":")[2].replace("_", "-")
        yield f"{flow}/{entry['name']}", entry


def _scheduled(deployment: str, entry: dict[str, Any]) -> Iterator[Scheduled]:
    for each in entry.get("schedules", ()):
        yield Scheduled(deployment, each["slug"], CronSchedule(cron=each["cron"], timezone=each["timezone"]))


def _switched(client: SyncPrefectClient, deployment: str, scheduled: list[Scheduled]) -> dict[str, bool]:
    """Which of these are there and switched on or off; all others of the deployment get slugs of their own."""
    try:
        found = client.read_deployment_by_name(deployment)
    except ObjectNotFound:
        return {}
    active: dict[str, bool] = {}
    slugs = {each.slug for each in scheduled}
    for present in found.schedules:
        if any(each.is_that_of(present) for each in scheduled):
            active[str(present.slug)] = present.active
        elif present.slug is None or present.slug in slugs:
            own = f"own-{present.id.hex[:12]}"
            # Prefect would empty the parameters that are not given.
            client.update_deployment_schedule(found.id, present.id, slug=own, parameters=present.parameters)
    return active
