"""Processes that were started before: ended by pid and start time, and no other process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deployments.processes import Started, end, read_note, write_note


def test_down_leaves_a_process_alone_that_has_the_pid_of_another(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        born_s = psutil.Process(stranger.pid).create_time()
        note = tmp_path / "servers.json"
        write_note(note, [Started("prefect", stranger.pid, born_s - 100), Started("mlflow", 2**22 - 1, born_s)])
        assert [end(started) for started in read_note(note)] == [False, False]
        assert stranger.poll() is None
        write_note(note, [Started("prefect", stranger.pid, born_s)])
        assert [end(started) for started in read_note(note)] == [True]
        assert stranger.poll() is not None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_damaged_note_is_told_in_one_line(tmp_path: Path) -> None:
    note = tmp_path / "servers.json"
    note.write_text("{")
    with pytest.raises(ValueError, match="is damaged: end the servers by hand, then delete it"):
        read_note(note)
