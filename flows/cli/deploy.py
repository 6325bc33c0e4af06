"""`mien deploy`: the deployments on a work pool of any machine. A worker imports the flows, so it needs no folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from mien import __version__
from mien.flows.cli.deployment_file import FILE, ListedDeployment, listed_deployments
from mien.flows.cli.kept_schedules import switched
from mien.flows.parameters import RootUrl, Text
from mien.flows.result import FlowResult
from mien.tasks.errors import RunError, UsageError

PoolType = Literal["process", "docker", "kubernetes"]
IMAGE = f"mien:{__version__}"
"""What `deployments/Dockerfile` is built as."""
VOLUME, MOUNTED = "mien-data", "/data"
"""Of Docker, and where a container has it: the root where none is named."""


@dataclass(frozen=True)
class DeployedFlows(FlowResult):
    """What a Prefect server has now."""

    pool: str
    type: PoolType
    root: str
    image: str | None
    names: tuple[str, ...]
    active: tuple[str, ...]
    """Slugs of the schedules that are switched on."""

    def lines(self) -> list[str]:
        image = f", image {self.image}" if self.image else ""
        return [
            f"{len(self.names)} deployments on the {self.type} pool {self.pool}: {', '.join(self.names)}",
            f"root {self.root}{image}; schedules that are on: {', '.join(self.active) or 'none'}",
            f"on any machine with mien: prefect worker start --pool {self.pool} --type {self.type}",
        ]


@dataclass(frozen=True)
class _Pool:
    """Where runs go, and what each of them is given."""

    name: str
    type: PoolType
    root: str
    image: str | None
    job_variables: Mapping[str, Any]


def deploy_flows(
    *,
    pool: Text,
    type: PoolType = "process",
    image: Text | None = None,
    root: RootUrl | None = None,
    file: Text | None = None,
    job_variables: list[Text] | None = None,
) -> DeployedFlows:
    """Deploy the flows to a work pool: workers on any machine that has mien run them.

    Args:
        pool: Work pool; it is made where there is none of this name.
        type: What the workers of the pool start for a run: a process, a Docker container or a Kubernetes job.
        image: Image with mien for docker and kubernetes; mien:VERSION, as deployments/Dockerfile is built, if empty.
        root: Where the tables lie, as the runs see it: an absolute folder or any fsspec URL such as s3://bucket/prefix.
            If empty, ./data as an absolute path for process and a volume for docker; kubernetes needs one.
        file: List of deployments in the form of deployments/prefect.yaml; the one of the package if empty.
        job_variables: Variable of the pool's job template that each run gets, NAME=VALUE, such as namespace=faces of a
            Kubernetes pool; a value may be JSON.
    """
    target = _with_variables(_target(pool, type, image, root), job_variables or ())
    listed = _read(file, target.root)
    if not PREFECT_API_URL.value():
        raise UsageError("deployments need a Prefect server: set PREFECT_API_URL")
    with get_client(sync_client=True) as client:
        _make_pool(client, target)
        active = switched(client, {each.full_name: each.schedules for each in listed})
        for each in listed:
            _deploy(client, each, target, active)
    on = tuple(slug for slug, is_on in active.items() if is_on)
    return DeployedFlows(pool, type, target.root, target.image, tuple(each.full_name for each in listed), on)


def _target(pool: str, type: PoolType, image: str | None, root: str | None) -> _Pool:
    if type == "process":
        if image is not None:
            raise UsageError("--image is for docker and kubernetes: a process uses the mien that its worker has")
        return _Pool(pool, type, _absolute(root or "data"), None, {})
    image = image or IMAGE
    if root is not None and not _is_url(root) and not root.startswith("/"):
        raise UsageError(f"--root {root} is relative, and each run has a folder of its own: write an absolute path")
    if type == "kubernetes":
        if root is None:
            raise UsageError(
                "the files of a pod end with it: --root s3://bucket/prefix, or a path that the pool mounts"
            )
        return _Pool(pool, type, root, image, {"image": image})
    if root is not None and _is_url(root):
        return _Pool(pool, type, root, image, {"image": image})
    mount = f"{VOLUME}:{MOUNTED}" if root is None else f"{root}:{root}"
    return _Pool(pool, type, root or MOUNTED, image, {"image": image, "volumes": [mount]})


def _with_variables(target: _Pool, given: Sequence[str]) -> _Pool:
    variables: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise UsageError(f"--job-variable {each} has no value: write NAME=VALUE")
        variables[name] = _value(value)
    return replace(target, job_variables={**target.job_variables, **variables})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _is_url(root: str) -> bool:
    return "://" in root


def _absolute(root: str) -> str:
    return root if _is_url(root) else str(Path(root).absolute())


def _read(file: str | None, root: str) -> list[ListedDeployment]:
    try:
        return listed_deployments(root, FILE if file is None else Path(file))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except Exception as error:  # whatever YAML of another form leads to
        raise UsageError(f"{file} is no list of deployments in the form of deployments/prefect.yaml") from error


def _make_pool(client: SyncPrefectClient, target: _Pool) -> None:
    try:
        found = client.read_work_pool(target.name)
    except ObjectNotFound:
        template = asyncio.run(get_default_base_job_template_for_infrastructure_type(target.type))
        if template is None:
            raise RunError(
                f"the server knows no pools of type {target.type}: pip install prefect-{target.type} and try again, "
                f"or prefect work-pool create {target.name} --type {target.type}"
            ) from None
        client.create_work_pool(WorkPoolCreate(name=target.name, type=target.type, base_job_template=template))
        return
    if found.type != target.type:
        raise UsageError(f"the pool {target.name} is of type {found.type}: choose another name, or --type {found.type}")


def _deploy(client: SyncPrefectClient, listed: ListedDeployment, target: _Pool, active: Mapping[str, bool]) -> None:
    flow: Flow[..., Any] = getattr(import_module(listed.module), listed.function)
    limit = listed.concurrency_limit
    settings: dict[str, Any] = {
        "version": __version__,
        "description": listed.description,
        "tags": list(listed.tags),
        "parameters": dict(listed.parameters),
        "entrypoint": listed.entrypoint,
        "path": None,
        "pull_steps": [],
        "work_pool_name": target.name,
        "enforce_parameter_schema": True,
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
        "concurrency_limit": None if limit is None else int(limit["limit"]),
        "concurrency_options": None
        if limit is None
        else ConcurrencyOptions(collision_strategy=limit["collision_strategy"]),
    }
    flow_id = client.create_flow_from_name(flow.name)
    try:
        found = client.read_deployment_by_name(listed.full_name)
    except ObjectNotFound:
        schedules = [DeploymentScheduleCreate(**each) for each in _schedules(listed, active)]
        settings |= {"job_variables": dict(target.job_variables), "schedules": schedules}
        client.create_deployment(flow_id, listed.name, **settings)
        return
    settings |= {"job_variables": {**found.job_variables, **target.job_variables}}
    if listed.schedules:
        settings["schedules"] = [DeploymentScheduleUpdate(**each) for each in _schedules(listed, active)]
    client.update_deployment(found.id, DeploymentUpdate(**settings))


def _schedules(listed: ListedDeployment, active: Mapping[str, bool]) -> Sequence[dict[str, Any]]:
    return [{"slug": each.slug, "schedule": each.schedule, "active": active[each.slug]} for each in listed.schedules]
