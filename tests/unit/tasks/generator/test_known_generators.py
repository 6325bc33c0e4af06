"""Generators in a root are used before the registry is asked, and where it is away; a root may have been moved."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from pathlib import Path

import pytest

from mien.storage import Root
from mien.tasks.errors import RunError, UsageError
from mien.tasks.generator.known_generators import (
    is_kept,
    kept_champion,
    known_generators,
    newest_champion,
    pinned_generator,
    remember_generator,
)
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.tracking import fetch_model
from mien.tasks.tracking.embedded import in_this_root, move_artifact_uris, registry_name

CHAMPION = "models:/mien-generator@champion"


def keep(root: Root, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    root.write_bytes(f"models/{sha256}/generator.safetensors", content)
    config = {"weights_sha256": sha256, "shape_model_sha256": None}
    root.write_bytes(f"models/{sha256}/config.json", json.dumps(config).encode())
    return sha256


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """With versions 1, 2 and 3, of which 2 was the champion before 3."""
    root = Root(str(tmp_path / "root"))
    for number, champion in ((1, False), (2, True), (3, True)):
        model = RegisteredModel(f"models:/mien-generator/{number}", "run", keep(root, b"%d" % number), champion)
        remember_generator(root, model, "embedded")
    return root


def test_a_pinned_version_is_taken_from_the_root(root: Root) -> None:
    assert fetch_model(root, "models:/mien-generator/1").sha256 == hashlib.sha256(b"1").hexdigest()
    assert not root.exists("mlflow.db")
    assert pinned_generator(root, "models:/mien-generator/1", "http://another") is None
    assert pinned_generator(root, "models:/mien-generator/9", "embedded") is None


def test_where_the_registry_is_away_the_newest_champion_is_used_and_told(
    root: Root, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING, logger="mien.tasks"):
        assert fetch_model(root, CHAMPION).uri == "models:/mien-generator/3"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert fetch_model(root, CHAMPION).uri == "models:/mien-generator/3"
        assert fetch_model(root, "models:/mien-generator/1").uri == "models:/mien-generator/1"
    assert [record.getMessage().startswith("the registry is away") for record in caplog.records] == [True] * 3
    with pytest.raises(RunError, match="does not answer"):
        fetch_model(root, "models:/mien-generator/9")
    with pytest.raises(RunError, match="does not answer"):
        fetch_model(root, "models:/other@champion")


def test_a_name_has_one_champion_and_a_damaged_generator_is_none(root: Root) -> None:
    third = hashlib.sha256(b"3").hexdigest()
    assert kept_champion(root) == [third]
    root.write_bytes(f"models/{third}/generator.safetensors", b"4")
    assert not is_kept(root, third)
    assert newest_champion(root) is None
    root.write_bytes("models/known.json", b"{")
    assert known_generators(root) == []


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns", "./some/mlruns", "/abs/mlruns"])
def test_a_folder_as_tracking_uri_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UsageError, match=r"is the folder .* set it to sqlite:///.*mlruns/mlflow.db") as error:
        fetch_model(Root(str(tmp_path)), CHAMPION)
    assert "\n" not in str(error.value)


def test_the_name_of_a_registry_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry_name() == "embedded"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:word@host:5000/path?token=secret")
    assert registry_name() == "https://host:5000/path"


def test_artifacts_of_a_moved_root_are_found_in_it(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    (tmp_path / "mlartifacts" / "models" / "m-1" / "artifacts").mkdir(parents=True)
    found = in_this_root(root, "file:///gone/mlartifacts/models/m-1/artifacts")
    assert found == tmp_path / "mlartifacts" / "models" / "m-1" / "artifacts"
    assert in_this_root(root, "file:///gone/mlartifacts/models/m-2/artifacts") is None
    assert in_this_root(root, "file:///gone/mlartifacts/../../secret") is None
    assert in_this_root(root, "s3://bucket/models/m-1") is None


def test_a_moved_database_names_the_present_folder(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    columns = {"runs": ["artifact_uri"], "logged_models": ["artifact_location"], "experiments": ["artifact_location"]}
    with sqlite3.connect(database) as connection:
        for table, names in (columns | {"model_versions": ["storage_location", "source"]}).items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            for address in ("file:///gone/a_b", "file:///gone/a_b/x", "file:///gone/aXb/x", "file:///gone/a_bc"):
                connection.execute(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", [address] * len(names)
                )

    def addresses() -> list[str]:
        with sqlite3.connect(database) as connection:
            return [row[0] for row in connection.execute("SELECT artifact_uri FROM runs")]

    move_artifact_uris(database, (tmp_path).as_uri(), "file:///new")
    move_artifact_uris(database, "file:///gone/a_b", "file:///new")
    assert addresses() == ["file:///new", "file:///new/x", "file:///gone/aXb/x", "file:///gone/a_bc"]
