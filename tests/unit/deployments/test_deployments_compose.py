"""compose.yaml by the rules of its specification, and what its services say to each other."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import compose_spec
import pytest
import yaml

import mien
from mien.flows.cli.build import build_command
from mien.flows.cli.commands import COMMANDS
from tests.paths import REPOSITORY

FOLDER = REPOSITORY / "deployments"
TEXT = (FOLDER / "compose.yaml").read_text()
ONCE = {"bucket", "deploy"}
"""Services that end when their work is done."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(TEXT)["services"]


def checked(text: str) -> None:
    options = compose_spec.PyOptions(apply_merge=True)
    compose_spec.PyOptions.from_yaml(options, text).validate()


def test_it_is_what_the_specification_allows() -> None:
    checked(TEXT)
    for right, wrong in (
        ("service_healthy", "service_fine"),
        ("healthcheck:", "health:"),
        ("init: true", "init: some"),
    ):
        assert right in TEXT
        with pytest.raises(ValueError, match=r"."):
            checked(TEXT.replace(right, wrong))


def test_every_service_that_stays_is_asked_for_its_health(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == ONCE
    for name in ONCE:
        assert services[name]["restart"] == "no"
    for service in services.values():
        for other, condition in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert condition == {"condition": expected}


def test_volumes_and_configs_are_there(services: dict[str, dict[str, Any]]) -> None:
    everything = yaml.safe_load(TEXT)
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    configs = {config["source"] for service in services.values() for config in service.get("configs", ())}
    assert (volumes, configs) == (set(everything["volumes"]), set(everything["configs"]))


def test_versions_are_named_and_ours_is_this_one(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        name, _, tag = service["image"].partition(":")
        assert re.search(r"\d", tag), service["image"]
        assert name != "mien" or tag == mien.__version__


def test_the_servers_answer_to_this_machine_alone_and_have_no_rights(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if service["image"].startswith("mien:"):
            assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


def test_no_password_is_given_and_each_one_is_asked_for(services: dict[str, dict[str, Any]]) -> None:
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    assert len(re.findall(r"\$\{\w+:\?set it in deployments/\.env\}", TEXT)) == len(re.findall(r"\$\{", TEXT))
    lines = (FOLDER / "compose.env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(example) == asked
    assert {name for name, value in example.items() if value} == {"STORAGE_USER"}
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            secret = any(word in name for word in ("PASSWORD", "SECRET", "AUTH"))
            assert not secret or value.startswith("${"), name


def test_addresses_name_services_and_their_ports(services: dict[str, dict[str, Any]]) -> None:
    """Each address is of a service that listens there, and who uses it waits for it."""
    ports = {"prefect": 4200, "mlflow": 5000, "postgres": 5432, "storage": 9000}
    for name, service in services.items():
        for value in service.get("environment", {}).values():
            found = urlsplit(re.sub(r"\$\{[^}]*\}", "x", value))
            if found.hostname and found.hostname != "127.0.0.1":
                assert ports[found.hostname] == found.port, (name, value)
    for server in ("prefect", "mlflow"):
        command = services[server]["command"]
        assert command[command.index("--port") + 1] == str(ports[server])


def test_the_deployments_are_written_by_a_command_of_mien(services: dict[str, dict[str, Any]]) -> None:
    program, name, *arguments = services["deploy"]["command"]
    assert program == "mien"
    given = build_command(name, COMMANDS[name].target).make_context(name, arguments).params
    worker = services["worker"]["command"]
    assert (given["pool"], given["type"]) == tuple(worker[worker.index(f"--{what}") + 1] for what in ("pool", "type"))
    made = services["bucket"]["command"][-1].partition("/")[2]
    assert urlsplit(given["root"]).netloc == made
