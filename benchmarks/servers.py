"""Servers for one benchmark or test: each on a free port, with data of its own, ended with the block."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deployments.servers import free_port, mlflow_server, prefect_server, running

S3_KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """An S3 server (moto); yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder / "s3.log", answers=url):
        yield url


@contextmanager
def prefect_api(folder: Path, database: str | None = None) -> Iterator[str]:
    """A Prefect server with a database of its own (SQLite, or the one of this URL); yields the URL of its API."""
    port = free_port()
    environment = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    if database is not None:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    with running(prefect_server(port), folder / "prefect.log", environment, f"http://127.0.0.1:{port}/api/health"):
        yield f"http://127.0.0.1:{port}/api"


@contextmanager
def mlflow_registry(folder: Path) -> Iterator[str]:
    """An MLflow server on SQLite whose artefacts go through it; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = mlflow_server(port, folder / "mlflow.db", folder / "artifacts")
    with running(command, folder / "mlflow.log", {"MLFLOW_DISABLE_TELEMETRY": "true"}, f"{url}/health"):
        yield url


class NoPostgresError(RuntimeError):
    """There is none on this machine."""


@contextmanager
def postgres() -> Iterator[str]:
    """A Postgres server; yields the URL of an empty database, as Prefect takes it.

    Raises:
        NoPostgresError: its programs are not installed.
    """
    port, programs = free_port(), _postgres_programs()
    with TemporaryDirectory(prefix="mien-postgres-") as scratch:
        data = Path(scratch) / "data"
        data.mkdir(mode=0o700)
        # Postgres does not run as root.
        other: list[str] = []
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            Path(scratch).chmod(0o711)
            os.chown(data, user.pw_uid, user.pw_gid)
        init = [*other, str(programs / "initdb"), "-D", str(data), "-U", "mien", "-A", "trust", "-E", "UTF8"]
        subprocess.run(init, cwd="/", check=True, capture_output=True)
        command = [*other, str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
        with running(command, Path(scratch) / "postgres.log"):
            _until_it_listens(port)
            yield f"postgresql+asyncpg://mien@127.0.0.1:{port}/postgres"


def _postgres_programs() -> Path:
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgresError("there is no Postgres here: install it (on Debian the package postgresql)")


def _until_it_listens(port: int, limit_s: float = 60) -> None:
    end_s = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.2)
        else:
            return
