"""Fixtures for all tests. The shapes in the annotations of `model` are checked while they run."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

# Before anything imports Prefect, MLflow or torch.
os.environ.update(
    # Two test processes share the cores, and networks this small wait for threads longer than they compute.
    OMP_NUM_THREADS="1",
    OMP_WAIT_POLICY="PASSIVE",
    DO_NOT_TRACK="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    # Each test process has a Prefect of its own: two that share a database wait for one another.
    PREFECT_HOME=tempfile.mkdtemp(prefix="mien-tests-prefect-"),
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="WARNING",
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW="ignore",
    # Tests name detectors of their own, as who types a command may.
    MIEN_ALLOWED_CLASSES="*",
)
os.environ.pop("MLFLOW_TRACKING_URI", None)

import jaxtyping
import pytest

atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)
jaxtyping.install_import_hook("mien.model", "beartype.beartype")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect API on a database of its own, one for each test process."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=300):
        yield
