"""Servers on loopback for `make up`, benchmarks and tests: each a process group of its own, waited for and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class ServerError(RuntimeError):
    """A server that ended or never answered."""


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prefect_server(port: int) -> list[str]:
    """The command of a Prefect server; `PREFECT_HOME` decides where its database lies."""
    return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]


def mlflow_server(port: int, database: Path, artifacts: Path) -> list[str]:
    """The command of an MLflow server on SQLite whose artefacts go through it."""
    return [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(artifacts),
    ]  # fmt: skip


def start(command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a command in the project's folder, in a process group of its own; what it prints is added to the log."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, limit_s: float = 240) -> None:
    """Returns when the server that `process` runs answers.

    Raises:
        ServerError: it ended, or does not answer within `limit_s`; the message has the end of its log.
    """
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if process.poll() is not None:
            raise ServerError(f"the server of {url} ended at once:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it answers, if only to refuse
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ServerError(f"{url} did not answer within {limit_s:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def end(group: int, gone: Callable[[], bool], patience_s: float = 15) -> None:
    """Asks a process group to end and waits until it is `gone`; insists after `patience_s`."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, how)
        except ProcessLookupError:
            return
        end_s = time.monotonic() + patience_s
        while time.monotonic() < end_s:
            if gone():
                return
            time.sleep(0.05)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ends what `start` has started in this process."""
    end(process.pid, lambda: process.poll() is not None)


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None, answers: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group while the block runs; waits until the URL `answers`, if one is given."""
    process = start(command, log, environment)
    try:
        if answers:
            wait_for(answers, process, log)
        yield process
    finally:
        end_process(process)
