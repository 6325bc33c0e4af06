"""Tracking and registry on an MLflow server, named by the environment, with artefacts that go through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.servers import free_port, mlflow_server, running
from mien.flows.cli.promote import promote_version
from tests.integration.flow_calls import HELD_OUT, augment, generated, prepare, train
from tests.small_root import DETECTOR, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


@pytest.fixture
def tracking_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [quick_python, *mlflow_server(port, tmp_path / "server.db", tmp_path / "artifacts")[1:]]
    with running(command, tmp_path / "mlflow.log", answers=f"{url}/health"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        yield url


def test_a_generator_is_registered_with_a_server_and_used_from_there(tracking_server: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    draw_photos(tmp_path / "photos")
    prepare([tmp_path / "photos"], "three", root, faces=DETECTOR, **HELD_OUT | {"test_fraction": 0.0})
    trained = train(["three"], root, steps=2)
    assert not trained.model.champion  # two updates: it says so, and a person decides otherwise
    assert "it had 2 updates, and min_updates is 100" in trained.lines()[-1]
    assert "; it is not champion, and none is: " in trained.lines()[-1]
    told = promote_version("1", reason="the only one there is", root=str(root)).lines()
    assert told[0].startswith("models:/mien-generator/1 is the champion now; there was none before (")
    assert told[1].startswith("when it was registered: it had 2 updates")
    assert not (root / "mlflow.db").exists()
    done = augment("three", root, per_identity=1)
    assert done.transfers is not None
    rows = generated(root, "three-by-three")
    assert {row["model_uri"] for row in rows} == {"models:/mien-generator/1"}
    assert {row["identity"] for row in rows} == {"person0", "person1", "person2"}
