"""Whether a write would replace a source, by whatever name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.storage.sources.same_file import replaces


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "a.png").write_bytes(b"photo")
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "folder").symlink_to(".")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    return tmp_path / "a.png"


def test_each_way_to_write_a_path_is_seen_through(photo: Path) -> None:
    names = [
        "a.png",
        "./a.png",
        "below/../a.png",
        "link.png",
        "hard.png",
        "folder/a.png",
        str(photo),
        f"file://{photo}",
    ]
    for out in names:
        for source in names:
            assert replaces(out, source), (out, source)
    assert not [name for name in names if replaces("b.png", name) or replaces(name, "b.png")]


def test_a_link_to_what_is_not_there_yet_is_followed(photo: Path) -> None:
    (photo.parent / "later.png").symlink_to("b.png")
    assert replaces("later.png", "b.png")


def test_blanks_of_a_file_url(photo: Path) -> None:
    photo.rename(photo.with_name("a b.png"))
    assert replaces("a b.png", f"file://{photo.parent}/a%20b.png")


def test_other_filesystems_have_files_of_their_own(photo: Path) -> None:
    assert replaces("memory://x/a.png", "memory://x/a.png")
    assert not replaces("memory://x/a.png", "memory://x/b.png")
    assert not replaces("memory://x/a.png", str(photo))
    assert not replaces(str(photo), "memory://x/a.png")
    assert not replaces(str(photo), "https://nowhere.example/a.png")
    assert not replaces("memory://x/a.png", "https://nowhere.example/a.png")
    assert not replaces("a.png", "sample:orl/s1/1.pgm")
