"""The list of deployments goes with the package, and names what is there; so does the image."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module

import pytest
import yaml
from prefect import Flow

from mien import __version__
from mien.flows.cli.deploy import IMAGE, MOUNTED
from mien.flows.cli.deployment_file import FILE, ListedDeployment, listed_deployments
from tests.paths import REPOSITORY

LISTED = listed_deployments("s3://bucket/prefix/")
DOCKERFILE = (REPOSITORY / "deployments" / "Dockerfile").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_the_file_is_part_of_the_package() -> None:
    assert FILE.resolve() == REPOSITORY / "deployments" / "prefect.yaml"
    assert FILE.name in PROJECT["tool"]["setuptools"]["package-data"]["mien.flows.cli"]


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: listed.full_name)
def test_a_deployment_names_a_flow_that_can_be_imported_and_its_parameters(listed: ListedDeployment) -> None:
    flow = getattr(import_module(listed.module), listed.function)
    assert isinstance(flow, Flow)
    assert f"{flow.name}/{listed.name}" == listed.full_name
    # Prefect takes an entrypoint without a colon for a module, which needs no working folder.
    assert listed.entrypoint == f"{flow.fn.__module__}.{listed.function}"
    flow.validate_parameters(dict(listed.parameters))


def test_every_root_of_the_file_is_replaced() -> None:
    values = [value for listed in LISTED for value in listed.parameters.values()]
    assert not [value for value in values if str(value).startswith("./")]
    roots = {value for value in values if str(value).startswith("s3://")}
    assert roots == {"s3://bucket/prefix", "s3://bucket/prefix/demo", "s3://bucket/prefix/exports/demo-augmented"}
    written = yaml.safe_load(FILE.read_text())["deployments"]
    assert [entry["name"] for entry in written] == [listed.name for listed in LISTED]


def test_the_image_installs_what_is_there() -> None:
    (python,) = re.findall(r"^ARG PYTHON=([\d.]+)-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert PROJECT["project"]["requires-python"].startswith(f">={python}")
    (copied,) = re.findall(r"^COPY (\w+\.\w+) ", DOCKERFILE, re.MULTILINE)
    assert (REPOSITORY / copied).is_file()
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    assert f"VOLUME {MOUNTED}\n" in DOCKERFILE
    assert f"--tag {IMAGE} " in DOCKERFILE
    assert f"mien:{__version__}" == IMAGE
    assert (
        f"docker build --file deployments/Dockerfile --tag {IMAGE} ."
        in (REPOSITORY / "docs" / "deployment.md").read_text()
    )
