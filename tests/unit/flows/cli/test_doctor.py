"""What `mien doctor` finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.servers import free_port
from mien import __version__
from mien.flows.cli.doctor import examine
from mien.flows.cli.finding import Finding
from mien.storage import Root


def found(root: Path | str, faces: str = "dlib") -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(Root(str(root)), faces)}


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)


def test_a_whole_machine_lacks_nothing_and_nothing_is_left_behind(tmp_path: Path) -> None:
    findings = list(examine(Root(str(tmp_path)), "dlib"))
    assert [finding.line() for finding in findings if not finding.ok and finding.needed] == []
    weights = [finding.summary for finding in findings if finding.what == "weights"]
    assert [line.endswith("(commercial use: no)") for line in weights] == [False, False, True]
    assert list(tmp_path.iterdir()) == []
    assert all("\n" not in finding.line() for finding in findings)


def test_what_fails_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    (tmp_path / "file").write_text("no folder")
    findings = found(tmp_path / "file" / "below", "tests.no_such_file:Detector")
    for what in ("faces", "root", "MLflow"):
        assert not findings[what].ok
        assert findings[what].line().startswith("FAIL")
    assert url in findings["MLflow"].summary
    assert findings["dlib"].ok
    assert findings["mediapipe"].ok


def test_packs_of_insightface_are_not_needed_by_dlib(tmp_path: Path) -> None:
    assert not found(tmp_path)["insightface"].needed


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):  # other tests may have started a server
        findings = found(tmp_path / "not" / "there")
    assert str(tmp_path / "not" / "there") in findings["disk"].summary
    assert findings["temporary"].ok
    assert f"torch {torch.__version__}" in findings["versions"].summary
    assert f"mien {__version__}" in findings["versions"].summary
    assert "schedules and deployments need a server" in findings["Prefect"].summary
    assert not findings["CUDA"].needed
    assert findings["CUDA"].ok == torch.cuda.is_available()
