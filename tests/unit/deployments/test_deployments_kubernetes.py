"""The files for Kubernetes by its schemas: what they name is there, mien reads what they set, nothing is root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

import mien
from mien.flows.cli.build import build_command
from mien.flows.cli.commands import COMMANDS
from mien.tasks.runtime.ranks import chosen_rank
from tests.paths import REPOSITORY

FOLDER = REPOSITORY / "deployments/k8s"
VERSION = "1.33"
"""Of Kubernetes: a worker has to run on what is out there, not on the newest alone."""
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for each in yaml.safe_load_all(path.read_text()):
                yield path.name, each


OBJECTS = list(objects())
WORKLOADS = {each["metadata"]["name"]: each for _, each in OBJECTS if each["kind"] in ("Job", "Deployment")}


def pod_of(name: str) -> dict[str, Any]:
    return WORKLOADS[name]["spec"]["template"]["spec"]


def container_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(name)["containers"]
    return container


def environment_of(name: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container_of(name).get("env", ())}


def arguments_of(name: str) -> dict[str, Any]:
    """The parameters that a container's command of mien is given."""
    container = container_of(name)
    assert container["command"] == ["mien"]
    command, *arguments = container["args"]
    return build_command(command, COMMANDS[command].target).make_context(command, arguments).params


@pytest.mark.parametrize(("file", "described"), OBJECTS, ids=[f"{file}-{each['kind']}" for file, each in OBJECTS])
def test_an_object_is_what_kubernetes_allows(file: str, described: dict[str, Any]) -> None:
    kubernetes_validate.validate(described, VERSION, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(described | {"speck": {}}, VERSION, strict=True)


def test_all_files_are_listed_but_the_one_that_is_applied_for_each_job() -> None:
    assert {*KUSTOMIZATION["resources"], "augment.yaml"} == {file for file, _ in OBJECTS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_is_root_and_nothing_may_become_it(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 1000)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_a_pod_names_is_there(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    named = {(each["kind"], each["metadata"]["name"]) for _, each in OBJECTS}
    assert ("ServiceAccount", pod["serviceAccountName"]) in named
    sources = [(kind, each["name"]) for source in container["envFrom"] for kind, each in source.items()]
    assert sources == [("configMapRef", "mien"), ("secretRef", "mien")]
    assert ("ConfigMap", "mien") in named
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    assert any(environment_of(name)["PREFECT_HOME"].startswith(f"{path}/") for path in mounted.values())


def test_the_secret_s_names_are_given_and_none_of_its_values() -> None:
    lines = (FOLDER / "secret.env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PREFECT_API_AUTH_STRING"} <= set(example)
    assert set(example.values()) == {""}


def test_images_are_of_this_version() -> None:
    (ours,) = KUSTOMIZATION["images"]
    assert ours["newTag"] == mien.__version__
    pinned = {
        line.partition("==")[0]: line.partition("==")[2]
        for line in (REPOSITORY / "constraints.txt").read_text().split()
    }
    for name in WORKLOADS:
        image, _, tag = container_of(name)["image"].partition(":")
        expected = f"{pinned['prefect']}-python3.11-kubernetes" if name == "mien-worker" else mien.__version__
        assert tag == expected, image
    assert arguments_of("mien-deploy")["image"] == container_of("mien-deploy")["image"]


def test_the_worker_serves_the_pool_that_is_made_in_the_namespace_where_it_has_rights() -> None:
    given = arguments_of("mien-deploy")
    worker = dict(each.removeprefix("--").partition("=")[::2] for each in container_of("mien-worker")["args"][2:])
    assert (given["pool"], given["type"]) == (worker["pool"], worker["type"])
    variables = dict(each.split("=", 1) for each in given["job_variables"])
    assert variables == {"namespace": KUSTOMIZATION["namespace"], "service_account_name": "mien-run"}


def test_the_pods_of_a_bulk_job_are_numbered_and_know_how_many_they_are() -> None:
    spec = WORKLOADS["mien-augment"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"]
    for index in range(spec["completions"]):  # Kubernetes sets the index of an indexed job itself
        rank = chosen_rank(None, None, environment_of("mien-augment") | {"JOB_COMPLETION_INDEX": str(index)})
        assert rank is not None
        assert (rank.number, rank.of) == (index, spec["completions"])


def test_a_lost_pod_of_a_bulk_job_is_started_again_by_its_index() -> None:
    assert WORKLOADS["mien-augment"]["spec"]["backoffLimitPerIndex"] >= 1
    assert pod_of("mien-augment")["restartPolicy"] == "Never"  # Kubernetes refuses a limit by index with any other


def test_a_pod_of_a_bulk_job_has_a_worker_for_each_core() -> None:
    given = arguments_of("mien-augment")
    assert given["workers"] == int(container_of("mien-augment")["resources"]["requests"]["cpu"])
    assert (given["rank"], given["world_size"]) == (None, None)
