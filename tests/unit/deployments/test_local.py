"""What `make up` says and shows of a demo."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from mlflow import MlflowClient

from benchmarks.servers import mlflow_registry
from benchmarks.small_job import prepare_job, register_generator
from deployments.demo_model import copy_champion
from deployments.local import demo_lines
from mien.storage import Root
from mien.tasks.tracking import check_connection, fetch_model


def test_after_a_demo_its_root_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert demo_lines(tmp_path) == ""
    check_connection(Root(str(tmp_path / "a demo")))  # makes the registry
    (listed,) = [shlex.split(line) for line in demo_lines(tmp_path / "a demo").splitlines() if line.startswith("  ")]
    assert Path(listed[0]).name == "mien"
    assert listed[1:] == ["ls", "--root", str(tmp_path / "a demo")]


@pytest.mark.usefixtures("prefect_server", "quick_workers")
def test_the_champion_of_a_root_is_copied_to_a_server_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, registry = str(tmp_path / "root"), tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry}")
    monkeypatch.chdir(tmp_path)
    prepare_job(root, ["sample:orl/s1/1.pgm", "sample:orl/s2/1.pgm"])
    register_generator(root, tmp_path / "generator")
    before = MlflowClient().get_model_version_by_alias("mien-generator", "champion")
    (tmp_path / "server").mkdir()
    with mlflow_registry(tmp_path / "server") as server:
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
