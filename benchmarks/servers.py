"""Servers for one benchmark or test: each on a free port, with data of its own, ended with the block."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.servers import free_port, prefect_server, running

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
def prefect_api(folder: Path) -> Iterator[str]:
    """A Prefect server with a database of its own; yields the URL of its API."""
    port = free_port()
    environment = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    with running(prefect_server(port), folder / "prefect.log", environment, f"http://127.0.0.1:{port}/api/health"):
        yield f"http://127.0.0.1:{port}/api"
