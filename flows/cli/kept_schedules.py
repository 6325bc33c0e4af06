"""Deploying again leaves the schedules that are there as they are.

Prefect would switch a schedule on or off as the deployment says, with each deployment anew, and would delete those that
have no slug. So this runs first, and its result decides the switch of each schedule of the file. A schedule that a user
has made or changed gets a slug of its own, and Prefect leaves it alone. The schedule of the file is then added beside
it, switched off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from mien.flows.cli.deployment_file import Scheduled, deployments_of


def keep_schedules() -> dict[str, bool]:
    """Of each schedule of the file, by slug, whether it is switched on now; False where it is not there yet."""
    with get_client(sync_client=True) as client:
        return switched(client, deployments_of())


def switched(client: SyncPrefectClient, deployments: Mapping[str, Iterable[Scheduled]]) -> dict[str, bool]:
    """The same of these schedules, by `flow/name` of their deployment. All others get slugs of their own."""
    active: dict[str, bool] = {}
    for name, scheduled in deployments.items():
        of_file = list(scheduled)
        active |= {each.slug: False for each in of_file}
        active |= _switched(client, name, of_file)
    return active


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
