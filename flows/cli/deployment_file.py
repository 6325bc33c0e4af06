"""The deployments that `prefect.yaml` lists, as values. The file is part of the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

FILE = Path(__file__).with_name("prefect.yaml")
ROOT_OF_FILE = "./data"
"""Where the tables lie according to the file."""


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


@dataclass(frozen=True)
class ListedDeployment:
    """A deployment of the file."""

    name: str
    module: str
    """Of the flow, as it is imported."""
    function: str
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]
    concurrency_limit: Mapping[str, Any] | None
    schedules: tuple[Scheduled, ...]

    @property
    def full_name(self) -> str:
        """`flow/name`, as Prefect names it."""
        return f"{_flow_name(self.function)}/{self.name}"

    @property
    def entrypoint(self) -> str:
        """The flow as a dotted name: a worker imports it, in whatever folder it works."""
        return f"{self.module}.{self.function}"


def listed_deployments(root: str, file: Path = FILE) -> list[ListedDeployment]:
    """The deployments of the file, with the tables at `root` instead of `ROOT_OF_FILE`."""
    return [_listed(entry, root) for entry in _entries(file)]


def deployments_of(file: Path = FILE) -> dict[str, list[Scheduled]]:
    """The schedules of the file, by `flow/name` of their deployment."""
    return {each.full_name: list(each.schedules) for each in listed_deployments(ROOT_OF_FILE, file)}


def _entries(file: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]


def _listed(entry: Mapping[str, Any], root: str) -> ListedDeployment:
    path, _, function = str(entry["entrypoint"]).partition(":")
    name = str(entry["name"])
    return ListedDeployment(
        name=name,
        module=_module(path),
        function=function,
        description=str(entry["description"]).strip(),
        tags=tuple(entry["tags"]),
        parameters={key: _below(value, root) for key, value in entry["parameters"].items()},
        concurrency_limit=entry.get("concurrency_limit"),
        schedules=tuple(_scheduled(f"{_flow_name(function)}/{name}", entry)),
    )


def _module(path: str) -> str:
    """The module that a file of this project is, or the module itself where it is named."""
    return "mien." + path.removesuffix(".py").replace("/", ".") if path.endswith(".py") else path


def _flow_name(function: str) -> str:
    return function.replace("_", "-")


def _below(value: Any, root: str) -> Any:
    """The parameter, with the root of the file replaced where it is one or lies below it."""
    if isinstance(value, str) and (value == ROOT_OF_FILE or value.startswith(f"{ROOT_OF_FILE}/")):
        return root.rstrip("/") + value.removeprefix(ROOT_OF_FILE)
    return value


def _scheduled(deployment: str, entry: Mapping[str, Any]) -> Iterator[Scheduled]:
    for each in entry.get("schedules", ()):
        yield Scheduled(deployment, each["slug"], CronSchedule(cron=each["cron"], timezone=each["timezone"]))
