"""Prefect's API for one command: a server process that nobody else can use and that ends with the command.

Prefect would start one itself. That one lives on when the command is killed, gets the terminal's Ctrl-C before the
command has told it what became of its run, and answers whoever finds its port. This one is given its port as an open
socket, is in a session of its own, asks for a login that only this command knows, and ends when the pipe from the
command closes, however the command ended.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from mien.flows.cli.prefect_home import check_home
from mien.tasks.errors import RunError

START_LIMIT_S = 180.0
"""The start takes 5 to 10 seconds, and a multiple of that beside other work."""
END_LIMIT_S = 5.0
_HOSTS = ["127.0.0.1"]
_LATE_LOGGERS = ("prefect.events.clients", "prefect._internal.concurrency", "prefect._internal")
"""They report that the server, which ends with the command, has not taken the last events; nobody reads these again."""


@contextmanager
def embedded_server() -> Iterator[None]:
    """While the block runs, Prefect's client in this process uses a server of its own, unless one is configured.

    Raises:
        RunError: the server does not start, or its folder cannot be written.
    """
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        yield
        return
    check_home()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2048)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        login = f"mien:{secrets.token_urlsafe(18)}"
        process = _start(listening, login)
    try:
        _wait_for(f"{url}/health", process)
        with _settings({"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": login}):
            yield
    except (SystemExit, KeyboardInterrupt):  # a signal: nobody is to wait
        process.kill()
        raise
    finally:
        for name in _LATE_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        _end(process)


def _start(listening: socket.socket, login: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # nosec B603 # this Python with constants
        [sys.executable, "-m", "mien.flows.cli.embedded_server", str(listening.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[listening.fileno()],
        start_new_session=True,
        env=os.environ | {"PREFECT_SERVER_API_AUTH_STRING": login, "PREFECT_UI_ENABLED": "0"},
    )


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10):  # nosec B310 # our own server, on loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RunError(
        f"Prefect's embedded server does not start ({url}): is PREFECT_HOME writable? Or start `prefect server start` "
        "and set PREFECT_API_URL"
    )


@contextmanager
def _settings(variables: dict[str, str]) -> Iterator[None]:
    """Prefect's settings from the environment, in every thread."""
    from prefect.context import refresh_global_settings_context

    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    refresh_global_settings_context()
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        refresh_global_settings_context()


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # the server ends itself
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve(descriptor: int) -> None:
    """Runs the server on a socket that is open already, until standard input ends."""
    import uvicorn
    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    threading.Thread(target=_end_with_input, daemon=True).start()
    app = TrustedHostMiddleware(create_app(ephemeral=True, final=True), allowed_hosts=_HOSTS)
    uvicorn.run(app, fd=descriptor, log_level="critical", lifespan="on")


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_LIMIT_S)
    os._exit(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
