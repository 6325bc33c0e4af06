"""The command line, run as a user runs it. What is wrong with arguments: tests/unit/flows/cli/test_app.py.

What follows in a test that has started `mien` once is run by a Python that starts at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prefect_database import put_database

MIEN = [str(Path(sys.executable).parent / "mien")]


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing set that would quiet the servers: the command has to do it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "DO_NOT_TRACK"))}
    return kept | {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "COLUMNS": "120"}


def run(
    program: list[str], environment: dict[str, str], *arguments: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *map(str, arguments)],
        env=environment, cwd=cwd, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


@pytest.fixture
def quick_mien(quick_python: str) -> list[str]:
    return [quick_python, "-m", "mien.flows.cli.app"]


def test_a_wrong_argument_starts_no_server(environment: dict[str, str], quick_mien: list[str], tmp_path: Path) -> None:
    done = run(
        MIEN, environment, "augment", "--identities", "a", "--expressions", "b", "--per-identity", "-5", cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: Invalid value for '--per-identity'")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    done = run(quick_mien, environment, "verify", "--data", "nobody", cwd=tmp_path)
    assert done.returncode == 2
    note, error = done.stderr.splitlines()
    assert note == "note: --data is called --set now; the next release takes the new name only"
    assert error.startswith("error: there is no set 'nobody'")
    assert list(Path(environment["PREFECT_HOME"]).rglob("*.db")) == []


def test_prepare_tells_what_became_of_the_photos_and_nothing_else(
    environment: dict[str, str], quick_mien: list[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put_database(tmp_path_factory, Path(environment["PREFECT_HOME"]))
    photos = tmp_path / "photos" / "anna"
    photos.mkdir(parents=True)
    (photos / "broken.jpg").write_bytes(b"not a picture")
    root = tmp_path / "root"
    done = run(quick_mien, environment, "prepare", photos.parent, "sample:orl/s1", "--set", "mixed", "--root", root)
    assert done.returncode == 0, done.stderr
    summary, failed, training, following = done.stdout.splitlines()
    assert summary == "mixed: 11 photos (1 unreadable), 10 faces usable, 0 rejected, 0 failed"
    assert failed == "1 photo failed: 1 damaged, of a kind that is not read, or crashing a library"
    assert training.startswith("for training this set is not enough by itself: it needs two usable photos each of one")
    assert following == f"next: mien train --root {root} --set mixed --minutes 30"
    noise = [
        line
        for line in done.stderr.splitlines()
        if not line.startswith(("index photos:", "detect and align:", "render heatmaps:"))
    ]
    assert noise == []
    listed = run(quick_mien, environment, "ls", "--root", root).stdout
    assert "mixed" in listed
    assert "10 ok, 1 failed" in listed
    shown = run(quick_mien, environment, "show", f"{root}/images/mixed", "--rows", "20").stdout
    assert "broken.jpg" in shown
    next((root / "faces" / "shards").iterdir()).unlink()
    verified = run(quick_mien, environment, "verify", "--root", root, "--set", "mixed")
    assert verified.returncode == 1
    assert "is gone" in verified.stdout
    assert "mixed: 1 fault; 11 images, 0 faces" in verified.stdout
