"""What `prepare` says of a training to come, and whom it chooses for a split that the hash leaves empty."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pyarrow.compute as pc

from mien.storage import Root, commit, open_table, read_manifest, write_set
from mien.tasks.prepare.training_line import training_line
from mien.tasks.sets.splits import SplitSettings, split_of
from mien.tasks.sets.verify import verify
from tests.small_root import PREPARED, draw_photos, prepare


def splits(root: Root, fingerprint: str) -> dict[str, str]:
    rows = open_table(root, "faces", fingerprint).to_table(["identity", "split"], filter=pc.field("status") == "ok")
    return dict(zip(rows["identity"].to_pylist(), rows["split"].to_pylist(), strict=True))


def test_three_people_can_be_trained_on_and_a_growing_set_moves_nobody(tmp_path: Path) -> None:
    root, before = Root(str(tmp_path / "root")), dict[str, str]()
    for people in (3, 4, 6):
        draw_photos(tmp_path / "photos", people)
        faces = prepare(root, tmp_path / "photos")["faces"].fingerprint
        found = splits(root, faces)
        assert len(found) == people
        assert set(found.values()) == {"train", "val", "test"}
        assert {name: found[name] for name in before} == before
        before = found
        line = training_line(root, read_manifest(root, "faces", faces))
        assert line is not None
        counts = [f"{list(found.values()).count(split)} in {split}" for split in ("train", "val", "test")]
        assert line.startswith(f"for training: people with two or more usable photos: {', '.join(counts)}")
    assert before != {name: split_of(name, SplitSettings()) for name in before}  # somebody was chosen
    assert verify(root, PREPARED).faults == []


def test_another_salt_moves_people_and_detects_no_photo_again(tmp_path: Path) -> None:
    root, salted = Root(str(tmp_path / "root")), SplitSettings(0.3, 0.3, "another")
    draw_photos(tmp_path / "photos", 8)
    first = prepare(root, tmp_path / "photos")["faces"].fingerprint
    detected = set(root.files_below("faces/shards"))
    again = prepare(root, tmp_path / "photos", splits=salted)["faces"].fingerprint
    names = {f"faces/shards/{name}.parquet" for name in read_manifest(root, "faces", again).about["detected"]}
    assert names
    assert names <= detected
    found = splits(root, again)
    assert found == {name: split_of(name, salted) for name in found}
    assert found != splits(root, first)
    assert verify(root, PREPARED).faults == []
    # A row in the split of other settings is found.
    manifest = read_manifest(root, "faces", again)
    wrong = commit(root, "faces", manifest.shards, manifest.about | {"splits": asdict(SplitSettings())})
    write_set(root, "wrong", {"images": manifest.about["images"], "faces": wrong.fingerprint})
    assert any("its split is not that of its identity" in fault for fault in verify(root, "wrong").faults)


def test_two_people_and_one_are_said_to_be_too_few_for_what_is_missing(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    draw_photos(tmp_path / "photos", people=1)
    line = training_line(root, read_manifest(root, "faces", prepare(root, tmp_path / "photos")["faces"].fingerprint))
    assert line is not None
    assert "this set is not enough by itself: it needs two usable photos each of one person in train and of" in line
    draw_photos(tmp_path / "photos", people=2)
    found = splits(root, prepare(root, tmp_path / "photos")["faces"].fingerprint)
    assert sorted(found.values()) == ["train", "val"]
