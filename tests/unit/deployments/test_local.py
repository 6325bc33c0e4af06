"""What `make up` says when its servers are there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from mlflow import MlflowClient

from deployments.local import demo_lines
from mien.storage import Root
from mien.tasks.tracking import check_connection


def test_after_a_demo_its_root_and_model_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert demo_lines(tmp_path) == ""
    check_connection(Root(str(tmp_path / "a demo")))  # makes the registry
    lines = [line.strip() for line in demo_lines(tmp_path / "a demo").splitlines() if line.startswith("  ")]
    listed, browsed = (shlex.split(line) for line in lines)
    assert listed[1:] == ["ls", "--root", str(tmp_path / "a demo")]
    assert all(Path(command[0]).name in ("mien", "mlflow") for command in (listed, browsed))
    assert MlflowClient(browsed[-1]).search_experiments(max_results=1)
