"""What a person sees in MLflow's own pages, in a real browser."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from deployments.servers import free_port, mlflow_server, running
from mien.model.images.codec import image_size_px
from mien.tasks.train.register import MAX_CARD_SHEET_PX

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUDGET_MS = 30_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def server(
    pipeline_root: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory, quick_python: str
) -> Iterator[str]:
    """An MLflow server on a copy of the database of a root."""
    root, _ = pipeline_root
    folder = tmp_path_factory.mktemp("mlflow")
    # Not the file alone: what wrote it may have it open, and then its last pages lie beside it.
    with sqlite3.connect(root / "mlflow.db") as there, sqlite3.connect(folder / "mlflow.db") as copy:
        there.backup(copy)
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [quick_python, *mlflow_server(port, folder / "mlflow.db", folder / "artifacts")[1:]]
    with running(command, folder / "mlflow.log", answers=f"{url}/health"):
        yield url


def page(url: str, folder: Path) -> str:
    """The document that a browser makes of an address, once its scripts have run."""
    assert CHROMIUM is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *options, f"--virtual-time-budget={BUDGET_MS}", url],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_page_of_a_version_is_its_card(server: str, tmp_path: Path) -> None:
    version = MlflowClient(server, server).get_model_version_by_alias("mien-generator", "champion")
    shown = page(f"{server}/#/models/mien-generator/versions/{version.version}", tmp_path)
    assert "this generator" in shown
    assert "<code>warp</code>" in shown
    assert shown.count(f"models:/mien-generator/{version.version}") >= 2
    sheet = f"get-artifact?path=evaluation%2Fcard.png&run_uuid={version.run_id}"
    assert sheet.replace("&", "&amp;") in shown
    with urllib.request.urlopen(f"{server}/{sheet}", timeout=60) as answer:
        assert max(image_size_px(answer.read())) <= MAX_CARD_SHEET_PX


def test_the_page_of_a_run_says_what_it_did_and_groups_its_metrics(server: str, tmp_path: Path) -> None:
    client = MlflowClient(server, server)
    version = client.get_model_version_by_alias("mien-generator", "champion")
    experiment = client.get_run(version.run_id).info.experiment_id
    run = f"{server}/#/experiments/{experiment}/runs/{version.run_id}"
    shown = page(run, tmp_path)
    assert "Trains a motion generator of 64 px on" in shown
    assert f"#/models/mien-generator/versions/{version.version}" in shown
    charts = page(f"{run}/model-metrics", tmp_path)
    for group in ("final", "learning_rate", "loss"):
        assert f">{group}<" in charts
