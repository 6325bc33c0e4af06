"""Transfer jobs killed at random moments, on a local root and on S3; `benchmarks.kills` has the harness.

Beside it tests/integration/test_killed.py kills preparing and training, and test_faults.py and test_faults_s3.py end
transfer jobs half way, whose next job goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.paths import REPOSITORY


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("on", ["local", "s3"])
def test_killed_jobs_and_two_at_once_leave_the_rows_of_an_unbroken_one(on: str) -> None:
    from prefect.settings import PREFECT_API_URL

    given = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "benchmarks.kills", "--kills", "40", "--on", on, "--seed", "11"]
    done = subprocess.run(command, cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert ": 40 kills" in summary
    assert "no row missing, doubled or different" in summary
    assert "Two jobs at once: the same rows" in summary
