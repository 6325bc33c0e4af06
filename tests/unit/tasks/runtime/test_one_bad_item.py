"""One item that ends the process that has it in hand: it gets its row, all others are as without it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import LabelRule, Root, ShardRef, list_images, read_shard
from mien.tasks.errors import HopelessError
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime import one_bad_item, workers
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.one_bad_item import make_in_worker
from mien.tasks.runtime.stage import make_shard
from mien.tasks.runtime.worker_process import WorkerDiedError
from mien.tasks.runtime.workers import worker_pool
from tests.crashing_detector import DETECTOR, SLOW_S, VARIABLE, pixels_sha256
from tests.small_root import CROP_PX, draw_photos

pytestmark = pytest.mark.usefixtures("quick_workers")

PHOTOS = 8
SETTINGS = DetectSettings(DETECTOR, AlignmentSettings(size_px=CROP_PX))
TOGETHER = replace(SETTINGS, faces=f"{DETECTOR}Together")
QUICK = WorkLimits(item_seconds=1.5, worker_mib=700)


@dataclass
class Shard:
    """A shard of indexed photos, and the row that detection makes of each where none crashes."""

    root: Root
    indexed: str
    photos: list[np.ndarray]
    expected: list[dict[str, Any]]

    def detect(self, limits: WorkLimits = QUICK, settings: DetectSettings = SETTINGS) -> ShardRef:
        with worker_pool(1, limits):
            return make_in_worker(DETECT, self.root, self.indexed, settings, None)

    def rows(self, made: ShardRef) -> list[dict[str, Any]]:
        return read_shard(self.root, "faces", made.fingerprint).to_pylist()


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    draw_photos(tmp_path / "photos", people=2, each=PHOTOS // 2)
    root, other = Root(str(tmp_path / "root")), Root(str(tmp_path / "other"))
    listed = list_images([str(tmp_path / "photos")], LabelRule("{identity}/{expression}.png", "source"), root)
    (items,) = plan_index(root, "x", listed, 64)
    refs = [make_shard(INDEX, each, items, IndexSettings()) for each in (root, other)]
    whole = make_shard(DETECT, other, refs[1].fingerprint, SETTINGS)
    photos = [cv2.cvtColor(cv2.imread(item.uri), cv2.COLOR_BGR2RGB) for item in items]
    return Shard(root, refs[0].fingerprint, photos, read_shard(other, "faces", whole.fingerprint).to_pylist())


Crash = Callable[[dict[int, str]], None]


@pytest.fixture
def crash(shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crash:
    """Says what happens to the process that looks at the photos of these positions."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "crashes.json"))

    def write(what: dict[int, str]) -> None:
        named = {pixels_sha256(shard.photos[index]): how for index, how in what.items()}
        (tmp_path / "crashes.json").write_text(json.dumps(named))

    return write


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("segfault", "crashed the detector (SIGSEGV)"),
        ("abort", "crashed the detector (SIGABRT)"),
        ("exit", "crashed the detector (exit code 3)"),
        ("hang", "took longer than 1.5 s"),
    ],
)
def test_what_repeats_is_the_photos_own_and_is_not_tried_again(
    shard: Shard, crash: Crash, how: str, reason: str
) -> None:
    crash({5: how})
    made = shard.detect()
    rows = shard.rows(made)
    assert [row for row in rows if row["status"] == "failed"] == [rows[5]]
    assert (rows[5]["reason"], rows[5]["failure"]) == (reason, "content")
    assert rows[5]["image_id"] == shard.expected[5]["image_id"]
    assert rows[:5] + rows[6:] == shard.expected[:5] + shard.expected[6:]
    crash(dict.fromkeys(range(PHOTOS), "exit"))
    assert shard.detect() == made


@pytest.mark.parametrize(("how", "reason"), [("segfault", "crashed the detector"), ("hang", "took longer than 1.5 s")])
def test_photos_that_are_looked_at_together_cost_each_other_nothing(
    shard: Shard, crash: Crash, how: str, reason: str
) -> None:
    crash({2: how, 5: how})
    rows = shard.rows(shard.detect(settings=TOGETHER))
    assert [at for at, row in enumerate(rows) if row["status"] == "failed"] == [2, 5]
    assert all(reason in rows[at]["reason"] for at in (2, 5))
    others = [0, 1, 3, 4, 6, 7]
    assert [rows[at] | {"detector": DETECTOR} for at in others] == [shard.expected[at] for at in others]


def test_photos_that_are_slow_together_alone_are_not(shard: Shard, crash: Crash) -> None:
    crash(dict.fromkeys(range(PHOTOS), "slow"))
    assert PHOTOS * SLOW_S > 2 * QUICK.item_seconds > 4 * SLOW_S
    made = shard.detect(settings=TOGETHER)
    assert made.fingerprint == DETECT.name(shard.root, shard.indexed, TOGETHER)
    assert [row | {"detector": DETECTOR} for row in shard.rows(made)] == shard.expected


def test_a_shard_with_a_crash_has_the_name_of_the_whole_one(shard: Shard, crash: Crash) -> None:
    crash({0: "segfault", 3: "exit", 7: "abort"})
    made = shard.detect()
    assert made.fingerprint == DETECT.name(shard.root, shard.indexed, SETTINGS)
    assert [row["status"] for row in shard.rows(made)] == ["failed", "ok", "ok", "failed", "ok", "ok", "ok", "failed"]


def test_with_more_time_a_slow_photo_is_tried_again(shard: Shard, crash: Crash) -> None:
    crash({2: "hang"})
    slow = shard.detect()
    assert shard.detect() == slow
    crash({})
    made = shard.detect(replace(QUICK, item_seconds=30.0))
    assert shard.rows(made) == shard.expected
    assert shard.rows(slow)[2]["status"] == "failed"  # the former shard stays: versions of sets hold it


@pytest.mark.parametrize(("how", "reason"), [("memory", "700 MiB"), ("kill", "was killed twice (SIGKILL)")])
def test_what_this_machine_lacks_is_asked_for_again(shard: Shard, crash: Crash, how: str, reason: str) -> None:
    crash({2: how})
    made = shard.detect(replace(QUICK, item_seconds=60.0))
    rows = shard.rows(made)
    assert reason in rows[2]["reason"]
    assert rows[2]["failure"] == "source"
    assert rows[:2] + rows[3:] == shard.expected[:2] + shard.expected[3:]
    crash({})
    assert shard.rows(shard.detect()) == shard.expected


def test_a_crash_that_does_not_repeat_leaves_no_mark(shard: Shard, crash: Crash, tmp_path: Path) -> None:
    crash({4: f"once:{tmp_path / 'once'}"})
    assert shard.rows(shard.detect()) == shard.expected
    assert (tmp_path / "once").exists()


def test_where_every_photo_crashes_the_stage_is_given_up(
    shard: Shard, crash: Crash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_bad_item, "MAX_LOST", 3)
    monkeypatch.setattr(one_bad_item, "_stages_that_work", set[str]())
    crash(dict.fromkeys(range(PHOTOS), "exit"))
    with pytest.raises(HopelessError, match=r"all of 3 photos failed: crashed the detector \(exit code 3\)"):
        shard.detect()
    assert DETECT.find(shard.root, DETECT.name(shard.root, shard.indexed, SETTINGS), shard.indexed) is None


def test_progress_counts_each_photo_once(shard: Shard, crash: Crash) -> None:
    crash({5: "exit"})
    counted: list[float] = []
    with worker_pool(1, QUICK):
        assert workers._pool is not None
        with workers._pool.reporting(counted.append):
            make_in_worker(DETECT, shard.root, shard.indexed, SETTINGS, None)
    assert sum(counted) == PHOTOS


def test_a_death_that_no_item_explains_is_told(shard: Shard) -> None:
    with worker_pool(1), pytest.raises(WorkerDiedError, match="exit code 3"):
        make_in_worker(replace(DETECT, make=die), shard.root, shard.indexed, SETTINGS, None)


def die(*_: object) -> ShardRef:
    os._exit(3)


def test_the_photos_are_those_that_the_detector_sees(shard: Shard, tmp_path: Path) -> None:
    first = sorted((tmp_path / "photos").rglob("*.png"))[0]
    assert pixels_sha256(decode_rgb(first.read_bytes())) in map(pixels_sha256, shard.photos)
