"""The server of a command ends with it, however it ends, and nobody else can use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest

from tests.paths import REPOSITORY
from tests.prefect_database import put_database

COMMAND = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started with it ignored
os.environ.pop("PREFECT_API_URL", None)
from mien.flows.cli.embedded_server import embedded_server
from prefect import flow

@flow
def answer() -> int:
    return 42

with embedded_server():
    assert answer() == 42
    from prefect.settings import PREFECT_API_URL
    print(PREFECT_API_URL.value(), flush=True)
    if sys.argv[1] == "waits":
        time.sleep(120)
assert PREFECT_API_URL.value() is None
"""


def _command(how: str, home: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"} | {"PREFECT_HOME": home}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, how], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment
    )


@pytest.mark.parametrize(
    "ended_by",
    [None, signal.SIGKILL, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGTERM, signal.SIGINT))],
)
def test_the_server_ends_with_its_command(
    ended_by: signal.Signals | None, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    command = _command("waits" if ended_by else "ends", str(put_database(tmp_path_factory, tmp_path)))
    assert command.stdout is not None
    url = command.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    if ended_by is not None:
        servers = psutil.Process(command.pid).children()
        assert any("mien.flows.cli.embedded_server" in server.cmdline() for server in servers)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(f"{url}/flows/filter", b"{}"), timeout=20)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(f"{url}/health", headers={"Host": "evil.example"}))
        command.send_signal(ended_by)
    assert command.wait(60) == (0 if ended_by is None else -ended_by)
    command.stdout.close()
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2)
        except OSError:
            return
        time.sleep(0.2)
    pytest.fail("the server is still there 30 s after its command")
