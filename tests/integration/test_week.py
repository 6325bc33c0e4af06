"""A week of nights on real servers, each killed once; `benchmarks.week` has the story and checks each report.

tests/integration/test_nightly.py has the same of two nights, without servers and kills.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.servers import NoPostgresError, postgres
from tests.paths import REPOSITORY


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_week_of_nights_ends_with_two_whole_sets() -> None:
    try:
        with postgres():
            pass
    except NoPostgresError as error:
        pytest.skip(str(error))
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACKING"))}
    command = [sys.executable, "-m", "benchmarks.week"]
    done = subprocess.run(command, cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert sum("the report agrees with the tables" in line for line in told) == 7
    assert sum("killed 1 process that ran the flow" in line for line in told) >= 5
    assert sum(": whole; " in line for line in told) == 2, done.stdout
