"""A shard of faces is the same bytes however its photos were put together, and whatever happened on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import LabelRule, Root, ShardRef, list_images, read_shard
from mien.tasks.prepare import looking
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime import second_look
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.photo_reader import PictureReader
from tests.own_detector import Together
from tests.small_root import CROP_PX, draw_photos

SETTINGS = DetectSettings("tests.own_detector:Together", AlignmentSettings(size_px=CROP_PX))
PHOTOS = 7


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven; the detector fails on the fourth."""
    folder = tmp_path / "photos"
    draw_photos(folder, people=1, each=PHOTOS)
    fourth = sorted(folder.rglob("*.png"))[3]
    pixels = cv2.imread(str(fourth))
    pixels[0, 0] = 0
    cv2.imwrite(str(fourth), pixels)
    return folder


def detected(root: Root, photos: Path, settings: DetectSettings = SETTINGS) -> ShardRef:
    listed = list_images([str(photos)], LabelRule("{identity}/{expression}.png", "source"), root)
    (items,) = plan_index(root, "x", listed, 64)
    indexed = make_shard(INDEX, root, items, IndexSettings())
    return make_shard(DETECT, root, indexed.fingerprint, settings)


def bytes_of(root: Root, shard: ShardRef) -> bytes:
    return root.read_bytes(f"faces/shards/{shard.fingerprint}.parquet")


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_the_bytes_do_not_depend_on_the_batches(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    roots = Root(str(tmp_path / "a")), Root(str(tmp_path / "b"))
    usual = detected(roots[0], photos)
    monkeypatch.setattr(looking, "BATCH", batch)
    other = detected(roots[1], photos)
    assert other.fingerprint == usual.fingerprint
    assert bytes_of(roots[1], other) == bytes_of(roots[0], usual)
    rows = read_shard(roots[0], "faces", usual.fingerprint).to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 3 + ["failed"] + ["ok"] * 3
    assert (rows[3]["reason"], rows[3]["failure"]) == (
        "the detector failed on it (ValueError: a black corner)",
        "content",
    )


def test_a_photo_whose_source_does_not_answer_is_asked_again_and_taken_over(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first run the fifth photo is away: it is asked again within the run, in vain. In the second run it is
    back: it alone is looked at, and the bytes are those of a run that met no fault."""
    monkeypatch.setattr("mien.storage.retries.PAUSES_S", (0.0,) * 5)
    away, read = [sorted(photos.rglob("*.png"))[4]], list[str]()
    pixels = PictureReader.pixels

    def now_and_then(self: PictureReader, item: Any, image_id: str) -> Any:
        read.append(item.uri)
        if item.uri.endswith(away[0].name) and away[1:] != ["back"]:
            raise MemoryError
        return pixels(self, item, image_id)

    monkeypatch.setattr(PictureReader, "pixels", now_and_then)
    root, other = Root(str(tmp_path / "root")), Root(str(tmp_path / "other"))
    first = detected(root, photos)
    rows = read_shard(root, "faces", first.fingerprint).to_pylist()
    assert [row["failure"] for row in rows] == [None] * 3 + ["content", "source", None, None]
    assert len(read) == PHOTOS + second_look.MAX_AGAIN
    away.append("back")
    looked_at = list[int]()
    find_each = Together.find_each
    monkeypatch.setattr(
        Together, "find_each", lambda self, images: looked_at.append(len(images)) or find_each(self, images)
    )
    second = detected(root, photos)
    assert looked_at == [1]
    monkeypatch.setattr(PictureReader, "pixels", pixels)
    undisturbed = detected(other, photos)
    assert second.fingerprint == undisturbed.fingerprint
    assert bytes_of(root, second) == bytes_of(other, undisturbed)


def test_the_pose_is_the_detectors_where_it_gives_one_and_else_that_of_the_landmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_photos(tmp_path / "photos", people=1, each=1)
    poses = []
    for name in ("DarkSquares", "Posed"):
        monkeypatch.setenv("MIEN_ALLOWED_CLASSES", f"tests.own_detector:{name}")
        root = Root(str(tmp_path / name))
        settings = DetectSettings(f"tests.own_detector:{name}", AlignmentSettings(size_px=CROP_PX))
        shard = detected(root, tmp_path / "photos", settings)
        (row,) = read_shard(root, "faces", shard.fingerprint).to_pylist()
        poses.append(row["pose"])
    assert poses[0] == pytest.approx([0, 0, 0], abs=0.5)
    assert poses[1] == [12.0, -8.0, 30.0]
