"""ZIP archives: each picture found and read alone, whatever packed it, and nothing that a hostile one could reach."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import ContentError, Root, SourceItem, SourceReader, StorageError, list_images, list_sources
from tests.unit.storage.sources.test_kinds import picture, zip_of

FILES = {
    "faces/anna/1.jpg": picture(),
    "faces/anna/1.json": json.dumps({"Identity": " Anna ", "labels": {"expression": "sad"}, "license": "CC0"}).encode(),
    "faces/ben/2.dat": picture("PNG"),
    "faces/ben/ü 3.webp": picture("WEBP"),
    "faces/notes.txt": b"no picture",
    "__MACOSX/faces/._1.jpg": b"litter",
}
PICTURES = {"faces/anna/1.jpg", "faces/ben/2.dat", "faces/ben/ü 3.webp"}


def by_member(items: list[SourceItem]) -> dict[str, SourceItem]:
    return {str(item.member): item for item in items}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("remote", [False, True])
def test_each_picture_is_found_and_read_alone(tmp_path: Path, method: int, remote: bool) -> None:
    root = Root(f"memory://{uuid4().hex}")
    root.write_bytes("photos.zip", zip_of(FILES, method))
    (tmp_path / "photos.zip").write_bytes(zip_of(FILES, method))
    spec = f"{root.url}/photos.zip" if remote else str(tmp_path / "photos.zip")
    listing = list_sources([spec])
    items = by_member(listing.items)
    assert set(items) == PICTURES
    assert {name: item.identity for name, item in items.items()} == {
        "faces/anna/1.jpg": "Anna",
        "faces/ben/2.dat": "ben",
        "faces/ben/ü 3.webp": "ben",
    }
    assert (items["faces/anna/1.jpg"].expression, items["faces/anna/1.jpg"].licence) == ("sad", "CC0")
    with SourceReader() as reader:
        for name in [*items, *reversed(list(items))]:
            assert reader.read(items[name]) == FILES[name]
    assert [note.text for note in listing.notes if note.kind == "left out"] == [
        "1 left out: hidden, or left by the system",
        "1 left out: no picture (.txt)",
    ]


def test_a_stream_a_wide_archive_and_one_behind_a_program(tmp_path: Path) -> None:
    streamed, wide = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.jpg", FILES["faces/anna/1.jpg"])
    with zipfile.ZipFile(wide, "w") as archive, archive.open("a/1.jpg", "w", force_zip64=True) as member:
        member.write(FILES["faces/anna/1.jpg"])
    for number, data in enumerate((streamed.getvalue(), wide.getvalue(), b"#!/bin/sh\n" + streamed.getvalue())):
        (tmp_path / f"{number}.zip").write_bytes(data)
        (item,) = list_images([str(tmp_path / f"{number}.zip")])
        with SourceReader() as reader:
            assert reader.read(item) == FILES["faces/anna/1.jpg"]


class _Unseekable(io.RawIOBase):
    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._file.write(data)


def test_encrypted_members_links_videos_and_archives_are_told(tmp_path: Path) -> None:
    whole = bytearray(zip_of({"a.jpg": b"x", "clip.mp4": b"x", "inner.zip": zip_of({"b.jpg": b"x"})}))
    at = whole.index(b"PK\x01\x02")
    whole[at + 8] |= 1  # encrypted
    (tmp_path / "a.zip").write_bytes(whole)
    listing = list_sources([str(tmp_path / "a.zip")])
    reasons = {item.member: (item.status, item.reason) for item in listing.items}
    assert reasons["a.jpg"] == ("rejected", "it is encrypted in its archive: unpack it first")
    assert reasons["clip.mp4"] == ("rejected", "a video in an archive: unpack it, and give its folder")
    assert "1 left out: an archive within an archive (.zip): unpack the outer one" in [n.text for n in listing.notes]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    (tmp_path / "b.zip").write_bytes(out.getvalue())
    assert [item.reason for item in list_images([str(tmp_path / "b.zip")])] == ["it is a link in an archive"]


def test_a_member_that_claims_another_size_or_has_changed_bytes_is_damaged(tmp_path: Path) -> None:
    whole = bytearray(zip_of({"a.jpg": b"\xff\xd8\xff" + b"0" * 100_000}))
    at = whole.index(b"PK\x01\x02")
    for claimed in (10, 200_000, 2**31):
        changed = bytearray(whole)
        changed[at + 24 : at + 28] = struct.pack("<I", claimed)
        (tmp_path / "a.zip").write_bytes(changed)
        for item in list_images([str(tmp_path / "a.zip")]):
            if item.status == "ok":
                with SourceReader() as reader, pytest.raises(ContentError, match=r"a\.jpg"):
                    reader.read(item)
            else:
                assert "bytes" in str(item.reason)
    stored = bytearray(zip_of({"a.jpg": b"\xff\xd8\xff" + b"0" * 100}, zipfile.ZIP_STORED))
    stored[60] ^= 1
    (tmp_path / "a.zip").write_bytes(stored)
    (item,) = list_images([str(tmp_path / "a.zip")])
    with SourceReader() as reader, pytest.raises(ContentError, match="its checksum is wrong"):
        reader.read(item)


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 99, zip_of(FILES)[:-30], zip_of(FILES)[:300]])
def test_what_is_cut_off_is_one_failed_row(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    (item,) = list_images([str(tmp_path / "a.zip")])
    assert item.status == "failed"
    assert "cut off or damaged" in str(item.reason)


def test_an_archive_in_a_persons_folder_is_that_persons(tmp_path: Path) -> None:
    for person in ("anna", "ben"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "phone.zip").write_bytes(zip_of({"1.jpg": picture()}))
    assert [item.identity for item in list_images([str(tmp_path)])] == ["anna", "ben"]


def test_mutated_archives_end_without_a_crash(tmp_path: Path) -> None:
    draw = random.Random(3)
    wholes = [zip_of(FILES, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)]
    read = 0
    for number in range(300):
        data = bytearray(wholes[number % 3])
        for _ in range(draw.choice((1, 3, 20))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (tmp_path / "a.zip").write_bytes(data[: draw.choice((len(data), draw.randrange(len(data))))])
        with SourceReader() as reader, suppress(StorageError):
            for item in list_images([str(tmp_path / "a.zip")]):
                if item.status == "ok":
                    read += 1
                    with suppress(StorageError):
                        reader.read(item)
    assert read > 100
