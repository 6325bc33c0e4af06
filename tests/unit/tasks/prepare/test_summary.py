"""Too many failed photos end the run, after everything is written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from mien.storage import Root, SourceItem, commit, list_sources, read_manifest
from mien.tasks.errors import RunError
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.prepare.summary import check_failures, left_out_lines
from mien.tasks.runtime.stage import make_shard
from tests.unit.tasks.prepare.test_index_hostile_files import PICTURE


def test_the_share_of_failed_photos_decides_and_the_reason_is_told(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    (tmp_path / "good.png").write_bytes(PICTURE)
    names = ("good.png", "bad1.png", "bad2.png")
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"")
    items = [SourceItem(str(tmp_path / name), "anna", None, "1-1") for name in names]
    images = commit(
        root, "images", [make_shard(INDEX, root, s, IndexSettings()) for s in plan_index(root, "set", items, 64)], {}
    )
    faces = commit(root, "faces", [], {})
    check_failures(root, images, faces, 0.67, "summary")
    with pytest.raises(RunError, match=r"summary: 67% of the photos failed, more than 50% \(mostly: an empty file\)"):
        check_failures(root, images, faces, 0.5, "summary")


def test_what_was_left_out_and_not_understood_is_in_the_summary(tmp_path: Path) -> None:
    root, photos = Root(str(tmp_path / "root")), tmp_path / "photos"
    for name in ("Anna/1.png", "anna/2.png", "ben/notes.txt", "ben/3.nef"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(PICTURE)
    (photos / "ben/notes.txt").write_text("a text")
    listing = list_sources([str(photos)])
    plan = plan_index(root, "set", listing.items, 64)
    images = INDEX.commit(
        root, [make_shard(INDEX, root, s, IndexSettings()) for s in plan], {"notes": [asdict(n) for n in listing.notes]}
    )
    lines = left_out_lines(root, read_manifest(root, "images", images.fingerprint))
    assert lines[:2] == [
        "1 left out: a raw camera file (.nef): export it as JPEG or TIFF",
        "1 left out: no picture (.txt)",
    ]
    assert lines[2].startswith("'Anna' (1) and 'anna' (1) differ by upper and lower case only")
