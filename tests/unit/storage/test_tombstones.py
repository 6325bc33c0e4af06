"""Tombstones tell a photo that comes again, and nothing to whoever has not got it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import Root, StorageError
from mien.storage.tombstones import forgotten_on, read_tombstones, write_tombstone

PHOTO, FRAME = "a" * 64, "b" * 64


def test_only_who_has_the_photo_finds_it(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    assert not read_tombstones(root)
    path = write_tombstone(root, "one", "2026-02-03", [(PHOTO, None), (FRAME, 7)])
    write_tombstone(root, "two", "2026-03-03", [("c" * 64, None)])
    found = read_tombstones(root)
    assert (forgotten_on(found, PHOTO), forgotten_on(found, FRAME)) == ("2026-02-03", "2026-02-03")
    assert forgotten_on(found, "d" * 64) is None
    assert forgotten_on(found, None) is None
    assert list(found.frames) == [7]
    text = root.read_bytes(path).decode()
    assert PHOTO not in text
    assert FRAME not in text


def test_a_damaged_one_is_not_taken_for_none(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write_bytes("tombstones/one.json", b"{")
    with pytest.raises(StorageError, match="damaged"):
        read_tombstones(root)
