"""Tracking and registry on an MLflow server, named by the environment, with artefacts that go through it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien import storage
from tests.integration.servers import free_port, wait_for

pytestmark = pytest.mark.usefixtures("prefect_server")

MLFLOW = str(Path(sys.executable).parent / "mlflow")


@pytest.fixture
def mlflow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination", str(tmp_path / "artifacts"),
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ, start_new_session=True)
    try:
        wait_for(f"{url}/health", process)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def test_a_generator_is_registered_with_a_server_and_used_from_there(mlflow_server: str, tmp_path: Path) -> None:
    from mien.flows.augment import augment_faces
    from mien.flows.prepare import prepare_faces
    from mien.flows.train import train_generator

    root = str(tmp_path / "root")
    people = [f"sample:orl/s{n}" for n in (1, 3, 4)]
    prepare_faces(
        people,
        set="three",
        root=root,
        crop_size=64,
        val_fraction=0.2,
        test_fraction=0.0,
        split_salt="six-2",
        workers=1,
    )
    trained = train_generator(sets=["three"], root=root, size=64, steps=2, workers=1)
    assert trained.model.champion
    assert not (tmp_path / "root" / "mlflow.db").exists()
    done = augment_faces(identities="three", expressions="three", root=root, per_identity=1, workers=1)
    assert done.transfers is not None
    rows = storage.open_table(root, "transfers", "three-by-three").to_table(columns=["model_uri"]).to_pylist()
    assert [row["model_uri"] for row in rows] == ["models:/mien-generator/1"] * 3
