"""Killed at any moment and started again: nothing missing, nothing doubled, nothing different."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien import storage
from tests.paths import REPOSITORY

# Small shards, so that there is something between the kills.
PREPARE = """
import sys
import mien.flows.prepare
if __name__ == "__main__":
    mien.flows.prepare.SHARD_IMAGES = 3
    images = ["sample:orl/s1", "sample:orl/s2", "sample:orl/s3"]
    mien.flows.prepare.prepare_faces(images, set="three", root=sys.argv[1], crop_size=64, workers=2)
"""

TRAIN = """
import sys
from mien.model.training.settings import TrainSettings
from mien.storage import Root
from mien.tasks.sets.faces import face_tables
from mien.tasks.train.train import TrainOptions, resolve_settings, train, training_fingerprint
if __name__ == "__main__":
    root = Root(sys.argv[1])
    sets = [face_tables(root, "six")]
    options = TrainOptions("residual", 64, steps=12, seed=0)
    settings = resolve_settings(root, sets, TrainSettings(checkpoint_every_s=0.0), options)
    done = train(root, sets, settings, training_fingerprint(sets, settings))
    print(done.sha256, done.run_id, done.steps)
"""


def start(script: str, root: Path) -> subprocess.Popen[str]:
    from prefect.settings import PREFECT_API_URL

    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PYTHONPATH": str(REPOSITORY),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )


def finish(script: str, root: Path) -> str:
    process = start(script, root)
    told, _ = process.communicate(timeout=400)
    assert process.returncode == 0
    return told


def kill(process: subprocess.Popen[str], parent_only: bool) -> None:
    if parent_only:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def rows(root: Path, table: storage.TableName) -> list[dict[str, object]]:
    return storage.open_table(str(root), table, "three").to_table().to_pylist()


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/shards/*.parquet"))


@pytest.mark.usefixtures("prefect_server")
def test_preparing_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(PREPARE, whole)
    chance = random.Random(7)
    for attempt in range(3):
        process, wanted = start(PREPARE, broken), len(shards(broken)) + chance.randint(1, 6)
        while process.poll() is None and len(shards(broken)) < wanted:
            time.sleep(0.02)
        kill(process, parent_only=attempt % 2 == 0)
        kept = {path: path.read_bytes() for path in shards(broken)}
        assert kept.items() <= {broken / p.relative_to(whole): p.read_bytes() for p in shards(whole)}.items()
    finish(PREPARE, broken)
    for table in ("images", "faces", "heatmaps"):
        assert rows(broken, table) == rows(whole, table)
    assert [p.relative_to(broken) for p in shards(broken)] == [p.relative_to(whole) for p in shards(whole)]


@pytest.mark.usefixtures("prefect_server")
def test_a_killed_training_has_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    from mien.flows.prepare import prepare_faces

    outcomes: list[list[str]] = []
    people = [f"sample:orl/s{n}" for n in range(1, 7)]
    splits = {"val_fraction": 0.2, "test_fraction": 0.2, "split_salt": "six-2"}
    prepare_faces(people, set="six", root=str(tmp_path / "whole"), crop_size=64, workers=2, **splits)
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    for name in ("whole", "broken"):
        root = tmp_path / name
        for wanted in (0, 5) if name == "broken" else ():
            process = start(TRAIN, root)
            while process.poll() is None and newest_checkpoint(root) <= wanted:
                time.sleep(0.01)
            kill(process, parent_only=False)
            assert newest_checkpoint(root) > 0
        outcomes.append(finish(TRAIN, root).split())
    (whole_sha, _, whole_steps), (broken_sha, _, broken_steps) = outcomes
    assert whole_steps == broken_steps == "12"
    assert whole_sha == broken_sha


def newest_checkpoint(root: Path) -> int:
    found = [int(path.name.removeprefix("updates-")) for path in root.glob("checkpoints/*/updates-*")]
    return max(found, default=-1)
