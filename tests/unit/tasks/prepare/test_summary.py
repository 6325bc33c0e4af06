"""Too many failed photos end the run, after everything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import Root, SourceItem, commit
from mien.tasks.errors import RunError
from mien.tasks.prepare.index import INDEX, plan_index
from mien.tasks.prepare.summary import check_failures
from mien.tasks.runtime.stage import make_shard
from tests.unit.tasks.prepare.test_index_hostile_files import PICTURE


def test_the_share_of_failed_photos_decides_and_the_reason_is_told(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    (tmp_path / "good.png").write_bytes(PICTURE)
    names = ("good.png", "bad1.png", "bad2.png")
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"")
    items = [SourceItem(str(tmp_path / name), "anna", None, "1-1") for name in names]
    images = commit(root, "images", [make_shard(INDEX, root, s, None) for s in plan_index(root, "set", items, 64)], {})
    faces = commit(root, "faces", [], {})
    check_failures(root, images, faces, 0.67, "summary")
    with pytest.raises(RunError, match=r"summary: 67% of the photos failed, more than 50% \(mostly: an empty file\)"):
        check_failures(root, images, faces, 0.5, "summary")
