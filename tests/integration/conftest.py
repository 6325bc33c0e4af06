"""What the integration tests share: servers on loopback, worker processes, a root that went through the pipeline."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from mien.tasks.errors import AbandonedError
from mien.tasks.runtime import workers
from mien.tasks.runtime.reports import report_to
from mien.tasks.runtime.workers import WorkerPool
from tests.integration.faulty_job import Job, make_job, use_registry
from tests.integration.flow_calls import run_pipeline
from tests.made_once import made_once
from tests.quick_python import python_of_many
from tests.quick_workers import quick_workers

# --- Worker processes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _quick_workers(quick_workers: None) -> None:
    """Workers of the flows that tests call start at once; those of commands are spawned, as everywhere."""


class _SharedPool:
    """Two worker processes, made when they are first needed and anew when a step that failed has given them up."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._pool: WorkerPool | None = None

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """`worker_pool` makes no processes while there are some, and those of a test session outlive its flows."""
        with quick_workers(self._python), pytest.MonkeyPatch.context() as patch:
            pool = self._get()
            patch.setattr(workers, "_pool", pool)
            former = report_to(pool.report)
            yield
            report_to(former)

    def _get(self) -> WorkerPool:
        try:
            if self._pool is not None:
                self._pool.run(os.getpid)
        except AbandonedError:
            self.close()
        self._pool = self._pool or WorkerPool(2)
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


@pytest.fixture(scope="session")
def _shared_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_SharedPool]:
    pool = _SharedPool(python_of_many(tmp_path_factory))
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared_workers(_shared_pool: _SharedPool) -> Iterator[None]:
    """The flows of this module share the worker processes of the session. They keep the environment that they were
    started in: what a test sets for its flows does not reach them."""
    with _shared_pool.in_force():
        yield


# --- Roots -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pipeline_root(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None, _shared_pool: _SharedPool
) -> tuple[Path, Any]:
    """A root that went through the whole pipeline, and what came of it. To read; `done` is one to write to."""
    with _shared_pool.in_force():
        return made_once(tmp_path_factory, "six", run_pipeline)


@pytest.fixture(scope="module")
def done(
    pipeline_root: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory, shared_workers: None
) -> tuple[Path, Any]:
    """A copy of the root, for the tests of a module, and what came of the pipeline. The copy has the registry; the
    artefacts that it names stay where they are."""
    root, augmentation = pipeline_root
    left = shutil.ignore_patterns("checkpoints", "mlartifacts")
    return shutil.copytree(root, tmp_path_factory.mktemp("done") / "root", ignore=left), augmentation


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, prefect_server: None, _shared_pool: _SharedPool) -> Iterator[Job]:
    """What the tests of faults begin with; its registry is the one in force."""
    with _shared_pool.in_force():
        folder, made = made_once(tmp_path_factory, "job", make_job)
    with pytest.MonkeyPatch.context() as patch:
        use_registry(patch, folder)
        yield made


# --- S3 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh bucket, `s3://…`. The server is named by the environment alone, as users name theirs."""
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(variable, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    # Instances remember the environment that they were made in.
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    bucket = f"mien-{uuid4().hex}"
    fsspec.filesystem("s3").mkdir(bucket)
    yield f"s3://{bucket}"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
