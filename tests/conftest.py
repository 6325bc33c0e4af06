"""Fixtures for all tests. The shapes in the annotations of `model` are checked while they run."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before anything imports Prefect or MLflow.
os.environ.update(
    DO_NOT_TRACK="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="WARNING",
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW="ignore",
)
os.environ.pop("MLFLOW_TRACKING_URI", None)

import jaxtyping
import pytest

jaxtyping.install_import_hook("mien.model", "beartype.beartype")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect API on a database of its own, one for the whole session."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
