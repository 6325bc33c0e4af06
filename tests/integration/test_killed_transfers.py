"""Transfer jobs killed at random moments, on a local root and on S3; `benchmarks.kills` has the harness."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.paths import REPOSITORY


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("on", "kills"),
    [
        # On S3 a shard is written by requests, and a killed job has more moments to be killed at.
        ("s3", 1),
        *[pytest.param(on, 40, marks=[pytest.mark.long, pytest.mark.timeout(5400)]) for on in ("local", "s3")],
    ],
)
def test_killed_jobs_and_two_at_once_leave_the_rows_of_an_unbroken_one(on: str, kills: int) -> None:
    from prefect.settings import PREFECT_API_URL

    given = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "benchmarks.kills", "--kills", str(kills), "--on", on, "--seed", "11"]
    command += [] if kills > 1 else ["--per-identity", "4"]
    done = subprocess.run(command, cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert f": {kills} kills" in summary
    assert "no row missing, doubled or different" in summary
    assert "Two jobs at once: the same rows" in summary
