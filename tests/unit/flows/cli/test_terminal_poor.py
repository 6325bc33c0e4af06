"""Real commands without a home, in a terminal that is not UTF-8, on what belongs to another user."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mien.flows.cli.prefect_home import check_home, give_home, is_writable
from mien.flows.cli.terminal import at_the_terminal
from mien.storage import Root
from mien.tasks.errors import RunError
from mien.tasks.tracking import check_connection
from tests.paths import REPOSITORY
from tests.prefect_database import copy_database

NO_FOLDER = "/dev/null/home"
"""Not even root can write there."""


IN_ONE_PROCESS = """
import json, sys
from mien.flows.cli.app import main
codes = [main(command) for command in json.loads(sys.argv[1])]
print(*codes, file=sys.stderr)
"""
"""Runs commands one after another; the last line says their exit codes."""


def mien(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return python("-m", "mien.flows.cli.app", *arguments, **environment)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_TRACKING"))}
    return subprocess.run(
        [sys.executable, *arguments],
        env=bare | {"PYTHONPATH": str(REPOSITORY)} | environment,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_lacks_a_character_shows_its_number(encoding: str, tmp_path: Path) -> None:
    root = str(tmp_path / "\u30a2")
    commands = [["ls", "--root", root], ["show", f"{root}/faces/x"], ["prepare", "--help"]]
    told = python("-c", IN_ONE_PROCESS, json.dumps(commands), PYTHONIOENCODING=encoding)
    assert told.returncode == 0, told.stderr
    # ASCII is what a system without a locale says; there click writes UTF-8.
    assert (b"\\u30a2" if encoding == "cp1252" else "\u30a2".encode()) in told.stdout
    assert told.stderr.startswith(b"error: ")
    assert told.stderr.splitlines()[1:] == [b"0 2 0"]


def test_a_flow_runs_without_a_home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = mien("verify", "--root", str(tmp_path / "root"), "--set", "nobody", HOME=NO_FOLDER, TMPDIR=str(temporary))
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1
    database = copy_database(tmp_path_factory, tmp_path / "prefect.db")
    ready = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    }
    collected = mien("gc", "--root", str(tmp_path / "root"), HOME=NO_FOLDER, TMPDIR=str(temporary), **ready)
    assert collected.returncode == 0, collected.stderr
    assert not list(temporary.glob("mien-prefect-*"))


def test_a_prefect_home_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    done = mien("gc", "--root", str(tmp_path), PREFECT_HOME=NO_FOLDER)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"error: {NO_FOLDER} cannot be written, and Prefect needs it: set PREFECT")
    assert done.stderr.count(b"\n") == 1


def test_a_home_is_given_only_where_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    give_home()
    assert "PREFECT_HOME" not in os.environ
    check_home()
    monkeypatch.setenv("HOME", NO_FOLDER)
    with pytest.raises(RunError, match="set PREFECT_HOME to a folder of your own"):
        check_home()
    assert is_writable(tmp_path / "not" / "there")
    (tmp_path / "file").write_text("")
    assert not is_writable(tmp_path / "file" / "below")


def test_a_registry_that_cannot_be_made_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(RunError, match=r"/dev/null cannot be written, and MLflow's database would lie there"):
        check_connection(Root("/dev/null/root"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_what_the_system_refuses_is_told_in_one_line(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), at_the_terminal():
        raise OSError(number, os.strerror(number), "/some/file")
    told = capsys.readouterr().err
    assert told.startswith(f"error: /some/file cannot be read or written ({os.strerror(number)}): ")
    assert told.count("\n") == 1


def test_an_error_of_the_program_stays_one() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"), at_the_terminal():
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
