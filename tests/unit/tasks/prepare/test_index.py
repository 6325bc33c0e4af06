"""The index: one row per photo, readable or not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mien.model.images.codec import encode_png
from mien.model.images.provenance import encode_image
from mien.storage import Root, SourceItem, StorageError, commit, list_images, read_shard, retries, write_set
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.photo_reader import PictureReader
from tests.unit.storage.sources.web import Request, redirect, web


def items(*uris: object) -> list[SourceItem]:
    return [SourceItem(str(uri), "anna", None, "1-1") for uri in uris]


def test_each_photo_has_its_row(tmp_path: Path) -> None:
    picture = encode_png(np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "good.png").write_bytes(picture)
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    root = Root(str(tmp_path / "root"))
    listed = items(tmp_path / "good.png", tmp_path / "text.jpg", tmp_path / "gone.jpg")
    shard = make_shard(INDEX, root, tuple(listed), IndexSettings())
    good, text, gone = read_shard(root, "images", shard.fingerprint).to_pylist()
    assert (good["image_id"], good["width_px"], good["height_px"]) == (hashlib.sha256(picture).hexdigest(), 30, 20)
    assert (good["status"], good["identity"]) == ("ok", "anna")
    assert (text["status"], text["image_id"]) == ("failed", hashlib.sha256(b"not a picture").hexdigest())
    assert gone["status"] == "failed"
    assert gone["image_id"] is None
    assert "gone.jpg" in gone["reason"]


def test_what_could_not_be_read_is_tried_again_and_what_is_no_picture_is_not(tmp_path: Path) -> None:
    root, late = Root(str(tmp_path / "root")), tmp_path / "late.png"
    shard = tuple(items(late))
    assert make_shard(INDEX, root, shard, IndexSettings()).counts["failed"] == 1
    late.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert make_shard(INDEX, root, shard, IndexSettings()).counts["ok"] == 1
    late.write_bytes(b"no picture any more")
    assert make_shard(INDEX, root, shard, IndexSettings()).counts["ok"] == 1


def test_new_photos_leave_the_shards_of_the_former_index_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a0", "b1", "b2", "b3", "c4"):
        Path(name).write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    root = Root(str(tmp_path / "root"))
    first = plan_index(root, "team", items("b1", "b2", "b3"), shard_size=2)
    table = commit(root, "images", [make_shard(INDEX, root, shard, IndexSettings()) for shard in first], {})
    write_set(root, "team", {"images": table.fingerprint})
    second = plan_index(root, "team", items("a0", "b1", "b2", "b3", "c4"), shard_size=2)
    assert second[:2] == first
    assert [[item.uri for item in shard] for shard in second[2:]] == [["a0", "c4"]]
    third = plan_index(root, "team", items("b1", "b3"), shard_size=2)
    assert third[0] == first[1]
    assert [item.uri for item in third[1]] == ["b1"]


def test_a_generated_picture_is_rejected_unless_it_is_asked_for(tmp_path: Path) -> None:
    root, made = Root(str(tmp_path / "root")), encode_image(np.zeros((20, 30, 3), np.uint8), "png", {"model": "m"})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/made.png").write_bytes(made)
    (tmp_path / "photos/taken.png").write_bytes(encode_png(np.zeros((20, 30, 3), np.uint8)))
    listed = list_images([str(tmp_path / "photos")])
    (plan,) = plan_index(root, "set", listed, 64)
    generated, taken = read_shard(
        root, "images", make_shard(INDEX, root, plan, IndexSettings()).fingerprint
    ).to_pylist()
    assert (generated["status"], taken["status"]) == ("rejected", "ok")
    assert generated["reason"] == "synthetic (mien's mark): --allow-synthetic takes it"
    assert generated["image_id"] == hashlib.sha256(made).hexdigest()
    (asked,) = plan_index(root, "set", listed, 64)
    assert make_shard(INDEX, root, asked, IndexSettings(allow_synthetic=True)).counts["ok"] == 2


def test_what_only_reading_shows_to_lead_elsewhere_is_rejected(tmp_path: Path) -> None:
    with web({"/a.jpg": encode_png(np.zeros((8, 8, 3), np.uint8))}) as other, web({}) as server:
        server.answers["/hop.jpg"] = redirect(f"{other.url}/a.jpg")
        listed = [SourceItem(f"{server.url}/hop.jpg", None, None, "1-1")]
        root = Root(str(tmp_path / "root"))
        (plan,) = plan_index(root, "set", listed, 64)
        (row,) = read_shard(root, "images", make_shard(INDEX, root, plan, IndexSettings()).fingerprint).to_pylist()
        assert row["status"] == "rejected"
        assert row["reason"] == f"outside of what the run was given: {other.url}/; --allow PREFIX"
        assert other.asked.total() == 0


def test_a_photo_that_cannot_be_read_any_more_is_not_taken_for_the_former_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    (item,) = list_images([str(tmp_path / "a.png")])
    with PictureReader() as reader:
        image_id = reader.describe(item)["image_id"]
    (tmp_path / "a.png").unlink()
    with PictureReader() as reader, pytest.raises(StorageError, match="does not exist"):
        reader.pixels(item, image_id)
    (tmp_path / "a.png").write_bytes(encode_png(np.ones((8, 8, 3), np.uint8)))
    with PictureReader() as reader, pytest.raises(StorageError, match="changed after it was indexed"):
        reader.pixels(item, image_id)


def test_another_photo_under_an_address_is_not_taken_for_the_former_one_whatever_failed_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that gives a photo, and then does not answer, and then gives another one."""
    monkeypatch.setattr(retries, "PAUSES_S", (0.0,))
    first, second = (encode_png(np.full((8, 8, 3), value, np.uint8)) for value in (1, 2))
    script: list[bytes | None] = [first, second, None, second, None, first]

    def scripted(request: Request) -> None:
        data = script.pop(0)
        request.answer(503) if data is None else request.answer(200, body=data)

    with web({"/a.png": scripted}) as server:
        (item,) = items(f"{server.url}/a.png")
        with PictureReader() as reader:
            image_id = reader.describe(item)["image_id"]
        for _ in range(2):
            with PictureReader() as reader, pytest.raises(StorageError, match="changed after it was indexed"):
                reader.pixels(item, image_id)
        with PictureReader() as reader:
            assert (reader.pixels(item, image_id) == 1).all()
    assert script == []
