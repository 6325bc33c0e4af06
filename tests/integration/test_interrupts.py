"""Ctrl-C and SIGTERM on a command: one line, the exit code that shells expect, no process, no half of a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import psutil
import pytest

from tests.crashing_detector import DETECTOR, VARIABLE, pixels_sha256
from tests.paths import REPOSITORY
from tests.small_root import draw_photos


def start(folder: Path, api: str | None, python: str = sys.executable) -> subprocess.Popen[str]:
    """The command, with a Prefect server of its own where `api` names none."""
    command = ["prepare", str(folder / "photos"), "--set", "x", "--root", str(folder / "root"), "--faces", DETECTOR]
    environment = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    environment |= {"PYTHONPATH": str(REPOSITORY), "PREFECT_HOME": str(folder / "prefect")}
    environment |= {VARIABLE: str(folder / "crashes.json")} | ({"PREFECT_API_URL": api} if api else {})
    return subprocess.Popen(
        [python, "-m", "mien.flows.cli.app", *command, "--crop-size", "64", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def server_starts(process: subprocess.Popen[str], _folder: Path) -> bool:
    return any("mien.flows.cli.embedded_server" in each.cmdline() for each in descendants(process))


def a_worker_hangs(process: subprocess.Popen[str], folder: Path) -> bool:
    """It has indexed the photos, and is at the one that hangs the detector's library."""
    return bool(list((folder / "root" / "images" / "shards").glob("*.parquet"))) and len(descendants(process)) >= 2


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        (server_starts, signal.SIGINT, 130),
        pytest.param(a_worker_hangs, signal.SIGINT, 130, marks=pytest.mark.long),
        (a_worker_hangs, signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_a_command(
    tmp_path: Path,
    quick_python: str,
    moment: Callable[[subprocess.Popen[str], Path], bool],
    number: signal.Signals,
    code: int,
) -> None:
    draw_photos(tmp_path / "photos", people=1, each=4)
    slow = cv2.cvtColor(cv2.imread(str(tmp_path / "photos" / "person0" / "mood1.png")), cv2.COLOR_BGR2RGB)
    (tmp_path / "crashes.json").write_text(json.dumps({pixels_sha256(slow): "hang"}))
    from prefect.settings import PREFECT_API_URL

    api = None if moment is server_starts else str(PREFECT_API_URL.value())
    process = start(tmp_path, api)
    while process.poll() is None and not moment(process, tmp_path):
        time.sleep(0.05)
    time.sleep(1)
    children = descendants(process)
    assert children
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command again, it goes on from here")
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    files = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert [path for path in files if path.name.startswith(".") or path.parent.name in ("runs", "leases")] == []
    if moment is a_worker_hangs:
        (tmp_path / "crashes.json").unlink()
        again = start(tmp_path, api, quick_python)
        out, err = again.communicate(timeout=300)
        assert again.returncode == 0, err
        assert out.startswith("x: 4 photos (0 unreadable), 4 faces usable")
