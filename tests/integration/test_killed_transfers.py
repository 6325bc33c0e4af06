"""Transfer jobs killed at random moments, on a local root and on S3; `benchmarks.kills` has the harness."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("on", ["local", "s3"])
def test_killed_jobs_and_two_at_once_leave_the_rows_of_an_unbroken_one(on: str) -> None:
    from prefect.settings import PREFECT_API_URL

    given = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "benchmarks.kills", "--kills", "2", "--on", on, "--seed", "11"]
    done = subprocess.run(command, cwd=REPOSITORY, env=given, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()[-1]
    assert "2 kills" in told
    assert "no row missing, doubled or different" in told
    assert "Two jobs at once: the same rows" in told
