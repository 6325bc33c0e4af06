"""The script for arrays of Slurm: what it sets is what mien reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from mien.tasks.runtime.ranks import chosen_rank
from tests.paths import REPOSITORY

SLURM = REPOSITORY / "deployments" / "slurm.sh"


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
