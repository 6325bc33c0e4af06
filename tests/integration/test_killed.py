"""Killed at any moment and started again: nothing missing, nothing doubled, nothing different."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mien import storage
from tests.paths import REPOSITORY
from tests.small_root import draw_photos

COMMAND = """
import sys
from tests.integration.test_killed import {work}
if __name__ == "__main__":
    {work}(sys.argv[1])
"""
SLOW = "tests.integration.test_ranks:Slow"
"""Takes long enough for a photo to be killed over it."""
PREPARE, TRAIN = (COMMAND.format(work=work) for work in ("prepare_three", "train_twelve"))


def prepare_three(root: str) -> None:
    """The photos beside the root, in small shards, so that there is something between the kills."""
    from mien.flows.prepare import prepare_faces

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.flows.prepare.SHARD_IMAGES", 3)
        prepare_faces([str(Path(root).parent / "photos")], set="three", root=root, faces=SLOW, crop_size=64, workers=2)


def train_twelve(root_url: str) -> None:
    """Twelve updates, each with a checkpoint."""
    from mien.model.training.settings import TrainSettings
    from mien.tasks.sets.faces import face_tables
    from mien.tasks.train.options import TrainOptions, resolve_settings
    from mien.tasks.train.train import train, training_fingerprint

    root = storage.Root(root_url)
    sets = [face_tables(root, "six")]
    options = TrainOptions("residual", 64, steps=12, seed=0)
    settings = resolve_settings(root, sets, TrainSettings(checkpoint_every_s=0.0), options)
    done = train(root, sets, settings, training_fingerprint(sets, settings))
    print(done.sha256, done.run_id, done.steps)


def start(script: str, root: Path, python: str = sys.executable) -> subprocess.Popen[str]:
    from prefect.settings import PREFECT_API_URL

    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PYTHONPATH": str(REPOSITORY),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return subprocess.Popen(
        [python, "-c", script, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )


def finish(script: str, root: Path, quick_python: str) -> str:
    process = start(script, root, quick_python)
    told, _ = process.communicate(timeout=1200)
    assert process.returncode == 0
    return told


def kill(process: subprocess.Popen[str], parent_only: bool) -> None:
    if parent_only:
        process.kill()
    else:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def rows(root: Path, table: storage.TableName) -> list[dict[str, object]]:
    return storage.open_table(str(root), table, "three").to_table().to_pylist()


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/shards/*.parquet"))


@pytest.mark.usefixtures("prefect_server", "shared_workers")
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_preparing_killed_at_random_moments_ends_as_if_it_had_not_been(
    tmp_path: Path, quick_python: str, kills: int
) -> None:
    python = quick_python if kills == 2 else sys.executable
    draw_photos(tmp_path / "photos", people=3, each=10)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    prepare_three(str(whole))
    chance = random.Random(7)
    for attempt in range(kills):
        process, enough = start(PREPARE, broken, python), len(shards(broken)) + chance.randint(1, 6)
        while process.poll() is None and len(shards(broken)) < enough:
            time.sleep(0.02)
        kill(process, parent_only=attempt % 2 == 0)
        kept = {path: path.read_bytes() for path in shards(broken)}
        assert kept.items() <= {broken / p.relative_to(whole): p.read_bytes() for p in shards(whole)}.items()
    finish(PREPARE, broken, quick_python)
    for table in ("images", "faces", "heatmaps"):
        assert rows(broken, table) == rows(whole, table)
    assert [p.relative_to(broken) for p in shards(broken)] == [p.relative_to(whole) for p in shards(whole)]


@pytest.mark.long
@pytest.mark.parametrize("killed_after", [(5,), pytest.param(tuple(range(12)), marks=pytest.mark.timeout(3600))])
def test_a_killed_training_has_the_weights_of_an_unbroken_one(
    pipeline_root: tuple[Path, Any],
    tmp_path: Path,
    quick_python: str,
    killed_after: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = shutil.ignore_patterns("checkpoints", "models", "mlartifacts", "mlflow.db")
    for name in ("whole", "broken"):
        shutil.copytree(pipeline_root[0], tmp_path / name, ignore=trained)
    capsys.readouterr()
    train_twelve(str(tmp_path / "whole"))
    whole_sha, _, whole_steps = capsys.readouterr().out.splitlines()[-1].split()
    root = tmp_path / "broken"
    for kept in killed_after:
        process = start(TRAIN, root)
        while process.poll() is None and newest_checkpoint(root) <= kept:
            time.sleep(0.01)
        kill(process, parent_only=False)
        assert newest_checkpoint(root) > 0
    broken_sha, _, broken_steps = finish(TRAIN, root, quick_python).split()
    assert whole_steps == broken_steps == "12"
    assert whole_sha == broken_sha


def newest_checkpoint(root: Path) -> int:
    found = [int(path.name.removeprefix("updates-")) for path in root.glob("checkpoints/*/updates-*")]
    return max(found, default=-1)
