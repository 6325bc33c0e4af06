"""Files as data teams have them: each gets its row, and none ends the run."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from mien.model.images.codec import encode_png
from mien.storage import Root, SourceItem, list_images, read_shard
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime.stage import make_shard

PICTURE = encode_png(np.zeros((20, 30, 3), np.uint8))


def index(folder: Path | str, root: Root) -> list[dict[str, object]]:
    items = list_images([str(folder)])
    return rows_of(items, root)


def rows_of(items: list[SourceItem], root: Root) -> list[dict[str, object]]:
    shards = [make_shard(INDEX, root, shard, IndexSettings()) for shard in plan_index(root, "set", items, 64)]
    rows = [row for s in shards for row in read_shard(root, "images", s.fingerprint).to_pylist()]
    assert len(rows) == len(items)
    assert all("\n" not in str(row["reason"]) for row in rows)
    return rows


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


NAMES = [
    b"a b.png",
    b"new\nline.png",
    "Жанна 😀.png".encode(),
    b"caf\xe9.png",
    b"a::b.png",
    b"#1%20?.png",
    b"[x]*.png",
    b"-'\".png",
]


def test_any_name_is_read_and_stored(photos: Path, root: Root) -> None:
    for name in NAMES:
        folder = os.fsencode(photos) + b"/" + name.removesuffix(b".png")
        os.mkdir(folder)
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(PICTURE)
    rows = index(photos, root)
    assert {row["status"] for row in rows} == {"ok"}
    assert len({row["uri"] for row in rows}) == len(NAMES)
    assert {"new\nline", "Жанна 😀", "caf\\xe9"} <= {row["identity"] for row in rows}


def test_damaged_and_odd_files_are_failed_rows_with_a_reason(photos: Path, root: Root) -> None:
    noise = encode_png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    files = {
        "whole.png": PICTURE,
        "mislabelled.jpg": PICTURE,
        "empty.jpg": b"",
        "text.png": b"not a picture",
        "page.jpg": b"<html>404</html>",
        "header.png": noise[:20],
    }
    for name, data in files.items():
        (photos / name).write_bytes(data)
    (photos / "folder.jpg").mkdir()
    (photos / "loop.jpg").symlink_to("loop.jpg")
    (photos / "dangling.jpg").symlink_to("nowhere")
    (photos / "endless.jpg").symlink_to("/dev/zero")
    os.mkfifo(photos / "pipe.jpg")
    rows = {Path(str(row["uri"])).name: row for row in index(photos, root)}
    ok = {name for name, row in rows.items() if row["status"] == "ok"}
    assert ok == {"whole.png", "mislabelled.jpg"}
    assert rows["empty.jpg"]["reason"] == "an empty file"
    assert "no regular file" in str(rows["pipe.jpg"]["reason"])
    assert "outside of what the run was given" in str(rows["endless.jpg"]["reason"])
    assert "does not exist" in str(rows["dangling.jpg"]["reason"])
    assert set(rows) == {*files, "loop.jpg", "dangling.jpg", "endless.jpg", "pipe.jpg"}


def test_what_vanishes_during_the_run_is_a_failed_row(photos: Path, root: Root) -> None:
    for name in ("stays.png", "goes.png"):
        (photos / name).write_bytes(PICTURE)
    items = list_images([str(photos)])
    (photos / "goes.png").unlink()
    goes, stays = rows_of(items, root)
    assert (goes["status"], stays["status"]) == ("failed", "ok")
    assert "goes.png does not exist" in str(goes["reason"])


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that claims so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 10_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(photos: Path, root: Root) -> None:
    (photos / "1.png").write_bytes(bomb(60_000, 60_000))
    (photos / "2.png").write_bytes(bomb(12_000, 11_000))
    first, second = index(photos, root)
    assert (first["status"], second["status"]) == ("failed", "failed")
    assert "far too large" in str(first["reason"])
    assert "12000×11000 pixels are more than" in str(second["reason"])


def test_a_huge_file_is_not_read_to_memory(photos: Path, root: Root) -> None:
    with (photos / "huge.jpg").open("wb") as file:
        file.truncate(600 * 2**20)
    (row,) = index(photos, root)
    assert row["status"] == "failed"
    assert "of more than 268435456 bytes" in str(row["reason"])


def test_two_thousand_levels_of_folder(photos: Path, root: Root) -> None:
    at = os.open(photos, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("level", dir_fd=at)
        below = os.open("level", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    with os.fdopen(os.open("deep.png", os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as file:
        file.write(PICTURE)
    os.close(at)
    (photos / "shallow.png").write_bytes(PICTURE)
    try:
        rows = index(photos, root)
        assert [row["status"] for row in rows] == ["ok", "ok"]
        assert sorted(str(row["uri"]).count("/level") for row in rows) == [0, 2000]
    finally:
        _remove_deep(photos)


def _remove_deep(photos: Path) -> None:
    """shutil.rmtree, which cleans up after tests, recurses too deep."""
    subprocess.run(["rm", "-rf", str(photos)], check=True)


def test_a_link_back_up_ends(photos: Path, root: Root) -> None:
    (photos / "anna").mkdir()
    (photos / "anna/1.png").write_bytes(PICTURE)
    (photos / "anna/up").symlink_to(photos)
    (photos / "a-link").symlink_to(photos / "anna")
    (row,) = index(photos, root)
    assert (row["identity"], row["status"]) == ("anna", "ok")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_a_failed_row(photos: Path, root: Root) -> None:
    (photos / "locked").mkdir(mode=0)
    (photos / "1.png").write_bytes(PICTURE)
    assert sorted(str(row["status"]) for row in index(photos, root)) == ["failed", "ok"]
