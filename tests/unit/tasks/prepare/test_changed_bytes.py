"""Photos that changed and kept their size and time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.storage import Root, list_images
from mien.tasks.prepare.changed_bytes import Compared, compare_bytes, with_marks
from mien.tasks.prepare.index import IndexSettings, plan_index
from tests.unit.tasks.prepare.test_index_outages import Prepared, photo, photos, prepare


def changed(path: Path, data: bytes) -> None:
    """Other bytes under the same size and time, as far as listings tell."""
    before = path.stat()
    path.write_bytes(data.ljust(before.st_size, b"\0")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def compared(root: Root, source: str) -> Compared:
    listed = list_images([source])
    marked = with_marks(root, listed)
    plan = plan_index(root, "set", marked, 64)
    return compare_bytes(root, list(zip(listed, marked, strict=True)), plan, IndexSettings())


def ids(prepared: Prepared) -> list[str]:
    return [row["image_id"] for row in prepared.rows("images")]


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Photos of one size in bytes."""
    made = photos(tmp_path)
    for path in (tmp_path / "photos").rglob("*.png"):
        path.write_bytes(path.read_bytes().ljust(2000, b"\0"))
    return made


def test_a_photo_with_other_bytes_under_its_version_is_found_and_stays_found(tmp_path: Path, source: str) -> None:
    root = Root(str(tmp_path / "root"))
    first = prepare(root, source)
    assert compared(root, source).lines() == ["3 known photos compared by their bytes: none has other bytes"]
    changed(tmp_path / "photos/b/1.png", photo(77))
    assert prepare(root, source).fingerprints == first.fingerprints, "the limit: nothing tells that it changed"

    assert compared(root, source).lines() == [
        "3 known photos compared by their bytes: 1 have other bytes, and are read anew"
    ]
    second = prepare(root, source)
    assert [old == new for old, new in zip(ids(first), ids(second), strict=True)] == [True, False, True]
    assert second.outcomes("faces") == ["ok", "ok", "ok"]
    assert prepare(root, source).fingerprints == second.fingerprints, "no run goes back to the former bytes"
    assert compared(root, source).marks == {}

    changed(tmp_path / "photos/b/1.png", photo(78))
    assert len(compared(root, source).marks) == 1
    assert ids(prepare(root, source))[1] not in (ids(first)[1], ids(second)[1])


def test_a_photo_that_cannot_be_read_is_not_called_the_same(tmp_path: Path, source: str) -> None:
    root = Root(str(tmp_path / "root"))
    prepare(root, source)
    listed = list_images([source])
    plan = plan_index(root, "set", listed, 64)
    (tmp_path / "photos/b/1.png").unlink()
    found = compare_bytes(root, list(zip(listed, listed, strict=True)), plan, IndexSettings())
    assert (found.same, found.unread, found.marks) == (2, 1, {})
    assert "1 could not be read, and are not compared" in found.lines()[0]
