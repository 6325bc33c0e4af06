"""The index: one row per photo, readable or not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mien.model.images.codec import encode_png
from mien.storage import Root, SourceItem, commit, read_shard, write_set
from mien.tasks.prepare.index import INDEX, plan_index
from mien.tasks.runtime.stage import make_shard


def items(*uris: object) -> list[SourceItem]:
    return [SourceItem(str(uri), "anna", None, "1-1") for uri in uris]


def test_each_photo_has_its_row(tmp_path: Path) -> None:
    picture = encode_png(np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "good.png").write_bytes(picture)
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    root = Root(str(tmp_path / "root"))
    listed = items(tmp_path / "good.png", tmp_path / "text.jpg", tmp_path / "gone.jpg")
    shard = make_shard(INDEX, root, tuple(listed), None)
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
    assert make_shard(INDEX, root, shard, None).counts["failed"] == 1
    late.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert make_shard(INDEX, root, shard, None).counts["ok"] == 1
    late.write_bytes(b"no picture any more")
    assert make_shard(INDEX, root, shard, None).counts["ok"] == 1


def test_new_photos_leave_the_shards_of_the_former_index_as_they_are(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    first = plan_index(root, "team", items("b1", "b2", "b3"), shard_size=2)
    table = commit(root, "images", [make_shard(INDEX, root, shard, None) for shard in first], {})
    write_set(root, "team", {"images": table.fingerprint})
    second = plan_index(root, "team", items("a0", "b1", "b2", "b3", "c4"), shard_size=2)
    assert second[:2] == first
    assert [[item.uri for item in shard] for shard in second[2:]] == [["a0", "c4"]]
    third = plan_index(root, "team", items("b1", "b3"), shard_size=2)
    assert third[0] == first[1]
    assert [item.uri for item in third[1]] == ["b1"]
