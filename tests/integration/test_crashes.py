"""Each stage with worker processes loses one item where a library crashes on one, and nothing else."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.images.video import FrameReader, FrameSettings
from mien.model.pair_planning import planned_pair
from mien.storage import LabelRule, Root, fingerprint, list_images, read_shard, write_shard
from mien.storage.schemas import PAIRS
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.prepare.video_frames import VideoSettings, video_frames
from mien.tasks.runtime import worker_process
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.one_bad_item import make_in_worker
from mien.tasks.runtime.stage import make_shard
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.transfer.settings import OutputSettings, TransferSettings
from mien.tasks.transfer.transfer_shards import TRANSFER, TransferJob
from tests.crashing_detector import DETECTOR, VARIABLE, pixels_sha256
from tests.drawn_set import SIDE_PX, drawn_set, small_generator
from tests.paths import REPOSITORY
from tests.small_root import CROP_PX, draw_photos

Row = dict[str, Any]

IN_EVERY_PROCESS = """
import os
import PIL.Image
import mien.model.landmarks.heatmaps as heatmaps
open_image, render = PIL.Image.open, heatmaps.render_heatmaps

def opening(file, *arguments, **options):
    image = open_image(file, *arguments, **options)
    if image.size == (77, 77):
        os.abort()
    return image

def rendering(points, *arguments):
    if points[0, 0, 0] == {x}:
        os.abort()
    return render(points, *arguments)

PIL.Image.open, heatmaps.render_heatmaps = opening, rendering
"""
"""A library that crashes on pictures of 77 × 77 pixels, and one on a face with its first landmark there."""


@pytest.fixture
def crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray, str], None]:
    """Says that the detector crashes on this picture."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "crashes.json"))

    def write(pixels: np.ndarray, how: str) -> None:
        (tmp_path / "crashes.json").write_text(json.dumps({pixels_sha256(pixels): how}))

    return write


def rows_of(root: Root, table: Any, name: str) -> list[Row]:
    return read_shard(root, table, name).to_pylist()


def crash_libraries(folder: Path, monkeypatch: pytest.MonkeyPatch, x: float = -1.0) -> None:
    """From now on the libraries of worker processes crash, not those of this one."""
    (folder / "sitecustomize.py").write_text(IN_EVERY_PROCESS.replace("{x}", repr(x)))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{REPOSITORY}")
    monkeypatch.setattr(worker_process, "mp", multiprocessing)  # spawned: what a Python reads at its start


def test_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_photos(tmp_path / "photos", people=1, each=5)
    bad = tmp_path / "photos" / "person0" / "mood2.png"
    cv2.imwrite(str(bad), np.zeros((77, 77, 3), np.uint8))
    root, other = Root(str(tmp_path / "root")), Root(str(tmp_path / "other"))
    listed = list_images([str(tmp_path / "photos")], LabelRule("{identity}/{expression}.png", "source"), root)
    (items,) = plan_index(root, "x", listed, 64)
    expected = rows_of(other, "images", make_shard(INDEX, other, items, IndexSettings()).fingerprint)
    crash_libraries(tmp_path, monkeypatch)
    with worker_pool(1):
        made = make_in_worker(INDEX, root, items, IndexSettings(), None)
        rows = rows_of(root, "images", made.fingerprint)
        assert rows[2]["reason"] == "crashed the image decoder (SIGABRT)"
        assert rows[:2] + rows[3:] == expected[:2] + expected[3:]
        assert INDEX.find(root, made.fingerprint, items) == made


def test_heatmaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_photos(tmp_path / "photos", people=1, each=5)
    root, other = Root(str(tmp_path / "root")), Root(str(tmp_path / "other"))
    listed = list_images([str(tmp_path / "photos")], LabelRule("{identity}/{expression}.png", "source"), root)
    (items,) = plan_index(root, "x", listed, 64)
    indexed = make_shard(INDEX, root, items, IndexSettings())
    detect = DetectSettings("tests.own_detector:DarkSquares")
    detect = replace(detect, alignment=replace(detect.alignment, size_px=CROP_PX))
    faces = make_shard(DETECT, root, indexed.fingerprint, detect).fingerprint
    stored = read_shard(root, "faces", faces)
    landmarks = [row["landmarks_xy"] for row in stored.to_pylist()]
    landmarks[3] = [np.float32(5.25), *landmarks[3][1:]]
    column = stored.column_names.index("landmarks_xy")
    changed = stored.set_column(column, stored.field(column), pa.array(landmarks, stored.field(column).type))
    faces = write_shard(root, "faces", fingerprint("changed"), changed).fingerprint
    write_shard(other, "faces", faces, changed)
    settings = HeatmapSettings(CROP_PX)
    expected = rows_of(other, "heatmaps", make_shard(HEATMAPS, other, faces, settings).fingerprint)
    crash_libraries(tmp_path, monkeypatch, x=5.25)
    with worker_pool(1):
        made = rows_of(root, "heatmaps", make_in_worker(HEATMAPS, root, faces, settings, None).fingerprint)
    assert (made[3]["status"], made[3]["heatmap"]) == ("failed", None)
    assert made[3]["reason"] == "crashed the drawing of heatmaps (SIGABRT)"
    assert made[:3] + made[4:] == expected[:3] + expected[4:]


def clip(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for index in range(12):
        writer.write(np.full((48, 64, 3), index * 20, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("how", "reason"),
    [("segfault", "crashed the decoder or the detector (SIGSEGV)"), ("hang", "took longer than 1.5 s")],
)
def test_frames_of_a_video(tmp_path: Path, crash: Callable[[np.ndarray, str], None], how: str, reason: str) -> None:
    reader = FrameReader(str(clip(tmp_path / "clip.avi")))
    crash(reader.frame(6), how)
    reader.close()
    root = Root(str(tmp_path / "root"))
    settings = VideoSettings(DETECTOR, FrameSettings(every=2))
    (item,) = list_images([str(tmp_path / "clip.avi")], LabelRule(None, "source"), root)
    with worker_pool(1, WorkLimits(item_seconds=1.5)):
        (lost,) = video_frames(root, item, settings).items
        assert (lost.status, lost.reason) == ("failed", reason)
        assert video_frames(root, item, settings).items == [lost]
    (tmp_path / "crashes.json").unlink()
    with worker_pool(1):  # with more time what was slow is looked at again, and what crashes is not
        again = video_frames(root, item, settings).items
    assert (again == [lost]) == (how == "segfault")


def test_transfers(tmp_path: Path, crash: Callable[[np.ndarray, str], None]) -> None:
    root, other = Root(str(tmp_path / "root")), Root(str(tmp_path / "other"))
    pairs = [
        asdict(planned_pair(fingerprint(["drawn", source]), fingerprint(["drawn", driver]), 0))
        | {"rank": None, "status": "rejected" if driver == 6 else "ok", "reason": "no" if driver == 6 else None}
        for source in range(4)
        for driver in range(4, 13)
    ]
    settings = []
    for each in (root, other):
        tables, sha256 = drawn_set(each), keep_model(each, small_generator(tmp_path / "trained"))
        write_shard(each, "pairs", fingerprint("pairs"), pa.Table.from_pylist(pairs, schema=PAIRS))
        about = TransferSettings(
            RegisteredModel("models:/g/1", "run", sha256, False),
            (tables,),
            SIDE_PX,
            DETECTOR,
            output=OutputSettings(keep_rejected=True),
        )
        neutrals = keep_neutrals(each, about.sets, sha256, about.retarget)
        settings.append(replace(about, neutrals=neutrals))
    assert settings[0] == settings[1]
    job, pairs_shard = TransferJob(settings[0]), fingerprint("pairs")
    expected = rows_of(other, "transfers", make_shard(TRANSFER, other, pairs_shard, job).fingerprint)
    bad = 21
    crash(decode_rgb(expected[bad]["image"]), "abort")
    with worker_pool(1):
        shard = make_in_worker(TRANSFER, root, pairs_shard, job, None)
    assert shard.fingerprint == TRANSFER.name(root, pairs_shard, job)
    made = rows_of(root, "transfers", shard.fingerprint)
    assert (made[bad]["status"], made[bad]["image"]) == ("failed", None)
    assert made[bad]["reason"] == "crashed the generator or the judge (SIGABRT)"
    assert made[bad]["output_id"] == expected[bad]["output_id"]
    assert made[:bad] + made[bad + 1 :] == expected[:bad] + expected[bad + 1 :]
