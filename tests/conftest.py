"""Fixtures for all tests. The shapes in the annotations of `model` are checked while they run."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

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

import execnet
import pytest

from tests.checked_shapes import check_shapes, next_test
from tests.mlflow_database import ready_databases
from tests.prefect_database import copy_database, put_database
from tests.quick_python import python_of_many, start_quick_python, start_test_python

atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)
check_shapes("mien.model")
gc.disable()  # until all tests are imported: nothing of them becomes garbage, and to look for it takes a second


def pytest_runtest_setup() -> None:
    next_test()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: list[execnet.XSpec]) -> None:
    """Test processes are forked from one that has imported what they need."""
    python = start_test_python()
    for spec in specs:
        spec.python = str(python)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


UNUSED_SERVICES = (
    *("CANCELLATION_CLEANUP", "EVENT_LOGGER", "EVENT_PERSISTER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS"),
    *("REPOSSESSOR", "SCHEDULER", "TASK_RUN_RECORDER", "TRIGGERS"),
)
"""What a Prefect server does beside answering: two thirds of its work under the flows that tests call."""


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect API on a database of its own, one for each test process. It keeps no runs of tasks, and starts no
    runs by itself: servers that commands start do."""
    from prefect.testing import utilities

    def folder() -> str:
        """Of the harness's database, which is ready."""
        made = tmp_path_factory.mktemp("prefect-server")
        copy_database(tmp_path_factory, made / "prefect-test.db")
        return str(made)

    put_database(tmp_path_factory, Path(os.environ["PREFECT_HOME"]))
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(utilities, "mkdtemp", folder)
            patch.setattr(sys, "executable", python_of_many(tmp_path_factory))
            for name in UNUSED_SERVICES:
                patch.setenv(f"PREFECT_SERVER_SERVICES_{name}_ENABLED", "false")
            stack.enter_context(utilities.prefect_test_harness(server_startup_timeout=300))
        yield


@pytest.fixture(scope="module")
def quick_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Worker processes of this module start at once."""
    from tests.quick_workers import quick_workers

    with quick_workers(python_of_many(tmp_path_factory)):
        yield


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python whose commands, and what they start, have imported their libraries already."""
    return str(start_quick_python(tmp_path_factory))


@pytest.fixture(scope="session", autouse=True)
def _ready_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of MLflow, for the roots of tests; those of commands make theirs."""
    with ready_databases(tmp_path_factory):
        yield
