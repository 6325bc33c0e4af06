"""What `make up` says and shows of a demo."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from mlflow import MlflowClient

from benchmarks.small_job import NAME, register_generator
from deployments.demo_model import copy_champion
from deployments.local import demo_lines
from deployments.servers import free_port, mlflow_server, running
from mien.storage import Root
from mien.tasks.tracking import check_connection, fetch_model
from tests.small_root import draw_photos, prepare


def test_after_a_demo_its_root_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert demo_lines(tmp_path) == ""
    check_connection(Root(str(tmp_path / "a demo")))  # makes the registry
    (listed,) = [shlex.split(line) for line in demo_lines(tmp_path / "a demo").splitlines() if line.startswith("  ")]
    assert Path(listed[0]).name == "mien"
    assert listed[1:] == ["ls", "--root", str(tmp_path / "a demo")]


def test_the_champion_of_a_root_is_copied_to_a_server_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str
) -> None:
    root, registry = str(tmp_path / "root"), tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry}")
    monkeypatch.chdir(tmp_path)
    draw_photos(tmp_path / "photos")
    prepare(Root(root), tmp_path / "photos", NAME)
    register_generator(root, tmp_path / "generator")
    before = MlflowClient().get_model_version_by_alias("mien-generator", "champion")
    server = f"http://127.0.0.1:{(port := free_port())}"
    command = [quick_python, *mlflow_server(port, tmp_path / "server.db", tmp_path / "artifacts")[1:]]
    with running(command, tmp_path / "mlflow.log", answers=f"{server}/health"):
        assert copy_champion(registry, server) == "models:/mien-generator/1"
        assert copy_champion(registry, server) is None
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
        after = MlflowClient(server, server).get_model_version_by_alias("mien-generator", "champion")
        assert (after.description, after.tags["mien.weights_sha256"]) == (
            before.description,
            before.tags["mien.weights_sha256"],
        )
        # Another root gets it from the server, and finds the weights that were registered.
        fetched = fetch_model(Root(str(tmp_path / "another")), "models:/mien-generator@champion")
    assert (fetched.uri, fetched.sha256) == ("models:/mien-generator/1", before.tags["mien.weights_sha256"])


def test_without_a_champion_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    check_connection(Root(str(tmp_path / "root")))
    assert copy_champion(tmp_path / "root" / "mlflow.db", f"sqlite:///{tmp_path}/server.db") is None
