"""Servers on loopback for `make up`, benchmarks and tests: their commands, and a block that one runs in."""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployments.processes import Started, end, start

PROJECT = Path(__file__).resolve().parent.parent


class ServerError(RuntimeError):
    """A server that ended or never answered."""


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prefect_server(port: int) -> list[str]:
    """The command of a Prefect server without a login; `PREFECT_HOME` decides where its database lies."""
    return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]


def mlflow_server(port: int, database: Path, artifacts: Path, *options: str) -> list[str]:
    """The command of an MLflow server on SQLite whose artefacts go through it."""
    return [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(artifacts), *options,
    ]  # fmt: skip


def wait_for(url: str, server: Started, log: Path, limit_s: float = 240) -> None:
    """Returns when a server answers.

    Raises:
        ServerError: it ended, or does not answer within `limit_s`; the message has the end of its log.
    """
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if not server.runs:
            raise ServerError(f"{server.name} ended before it answered at {url}:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # nosec B310 # a server of our own, on loopback
                return
        except urllib.error.HTTPError:
            return  # it answers, if only to refuse
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ServerError(f"{server.name} did not answer at {url} within {limit_s:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None, answers: str | None = None
) -> Iterator[Started]:
    """A process with a session of its own while the block runs; waits until the URL `answers`, if one is given."""
    server = start(log.stem, command, os.environ | dict(environment or {}), PROJECT, log)
    try:
        if answers:
            wait_for(answers, server, log)
        yield server
    finally:
        end(server)
