"""The scripts for schedulers that number the runs of a job: what they set is what mien reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mien.flows.cli.build import build_command
from mien.flows.cli.commands import COMMANDS
from mien.tasks.runtime.ranks import chosen_rank
from tests.paths import REPOSITORY

SLURM, KUBERNETES = REPOSITORY / "deployments" / "slurm.sh", REPOSITORY / "deployments" / "kubernetes-job.yaml"


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    job = yaml.safe_load(KUBERNETES.read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    return job["spec"]


def test_the_pods_are_numbered_and_know_how_many_they_are(spec: dict[str, Any]) -> None:
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"]
    (container,) = spec["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    for index in range(spec["completions"]):  # Kubernetes sets the index of an indexed job itself
        rank = chosen_rank(None, None, environment | {"JOB_COMPLETION_INDEX": str(index)})
        assert rank is not None
        assert (rank.number, rank.of) == (index, spec["completions"])


def test_a_lost_pod_is_started_again_by_its_index(spec: dict[str, Any]) -> None:
    assert spec["backoffLimitPerIndex"] >= 1
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # Kubernetes refuses a limit for each index with any other
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_everything_that_a_pod_mounts_is_a_volume(spec: dict[str, Any]) -> None:
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert any(environment["PREFECT_HOME"].startswith(f"{path}/") for path in mounted.values())


def test_a_pod_runs_a_command_of_mien(spec: dict[str, Any]) -> None:
    (container,) = spec["template"]["spec"]["containers"]
    name, *arguments = container["args"]
    assert container["command"] == ["mien"]
    given = build_command(name, COMMANDS[name].target).make_context(name, arguments).params
    assert given["workers"] == int(container["resources"]["requests"]["cpu"])
    assert (given["rank"], given["world_size"]) == (None, None)


def test_a_task_of_an_array_runs_its_command_with_the_cores_it_has(tmp_path: Path) -> None:
    mien = tmp_path / "mien"
    mien.write_text('#!/bin/sh\necho "$@" "$PREFECT_HOME" "$OMP_NUM_THREADS"\n')
    mien.chmod(0o700)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": "/scratch"}
    told = [
        subprocess.run(
            ["bash", str(SLURM), "mien", "prepare", "photos of us", "--set", "team"],
            env=environment | {"SLURM_JOB_ID": job, "SLURM_CPUS_PER_TASK": "6"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for job in ("41", "42")
    ]
    assert told == [f"prepare photos of us --set team --workers 6 /scratch/mien-prefect-{job} 1" for job in (41, 42)]


def test_the_array_is_one_whose_tasks_are_numbered_without_gaps() -> None:
    (array,) = [line.partition("=")[2] for line in SLURM.read_text().splitlines() if line.startswith("#SBATCH --array")]
    first, last = map(int, array.split("-"))
    given = {"SLURM_ARRAY_TASK_MIN": str(first), "SLURM_ARRAY_TASK_COUNT": str(last - first + 1)}
    ranks = [chosen_rank(None, None, given | {"SLURM_ARRAY_TASK_ID": str(task)}) for task in range(first, last + 1)]
    assert [rank.number for rank in ranks if rank is not None] == list(range(last - first + 1))
