"""What a file is, by its content; what is left out is counted, and nothing vanishes."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien.storage import Listing, Root, StorageError, list_images, list_sources
from mien.storage.sources.kinds import HEAD_BYTES, kind_of
from tests.unit.storage.sources.test_archives import tar_of

FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "MPO"]


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(out, kind)
    return out.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([picture()])}), out)
    return out.getvalue()


CONTENTS = {
    **{kind: (picture(kind), "image") for kind in FORMATS},
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image"),
    "mp4": (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2avc1", "video"),
    "mov": (b"\0\0\0\x08wide\0\0\0\x10mdat", "video"),
    "mkv": (b"\x1a\x45\xdf\xa3\x01\0\0\0", "video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "video"),
    "mpeg-ts": (b"\x47" + b"\0" * 187 + b"\x47" + b"\0" * 187, "video"),
    "tar": (tar_of({"a.jpg": b"x"}), "archive"),
    "tar.gz": (tar_of({"a.jpg": b"x"}, "w:gz"), "archive"),
    "tar.xz": (tar_of({"a.jpg": b"x"}, "w:xz"), "archive"),
    "zip": (zip_of({"a.jpg": b"x"}), "archive"),
    "docx": (zip_of({"[Content_Types].xml": b"x", "word/media/a.jpg": picture()}), "document"),
    "epub": (zip_of({"mimetype": b"application/epub+zip"}), "document"),
    "parquet": (parquet(), "parquet"),
    "gz": (gzip.compress(b"uri\na.jpg\n"), "other"),
    "text": ("Grüße\n".encode(), "text"),
    "utf-16": ("words\n".encode("utf-16"), "text"),
    "list": (b"Identity; URI\nanna;a.jpg\n", "list"),
    "list of a spreadsheet": ("uri\tidentity\na.jpg\tanna\n".encode("utf-16"), "list"),
    "program": (b"\x7fELF\0\0\0", "other"),
    "BMW": (b"BMW M3 is a car", "text"),
    "P5": (b"P. 5 of the book", "text"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_first_bytes_tell_what_a_file_is(name: str) -> None:
    data, kind = CONTENTS[name]
    assert kind_of(data[:HEAD_BYTES], "IMG_1") == kind
    if kind in ("image", "video", "archive", "parquet"):
        assert kind_of(data[:HEAD_BYTES], "wrong.txt") == kind
        assert kind_of(data[:HEAD_BYTES], "wrong.mp4") == kind


def test_a_list_is_one_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "list.txt").write_text("uri;identity\na.jpg;Anna\n")
    (item,) = list_images([str(tmp_path / "list.txt")])
    assert (item.uri, item.identity) == (str(tmp_path / "a.jpg"), "Anna")
    assert told(list_sources([str(tmp_path)])) == {"a list or table in a folder (.txt): name it itself": 1}


def told(listing: Listing) -> dict[str, int]:
    lines = (note.text.partition(" left out: ") for note in listing.notes if note.kind == "left out")
    return {reason: int(count) for count, _, reason in lines}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    files = {
        "anna/a.jfif": picture(),
        "anna/b.avif": picture("AVIF"),
        "anna/c.dat": picture("PNG"),
        "anna/IMG_2": picture("WEBP"),
        "ben/d.JPG": b"damaged",
        "ben/e.jpe": b"",
        "ben/f.nef": picture("TIFF"),
        "ben/clip": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2avc1",
        "ben/more.zip": zip_of({"x/1.jpg": picture(), "x/notes.txt": b"no", "__MACOSX/x/._1.jpg": b"litter"}),
        "ben/notes.txt": b"a text",
        "ben/read me.md": b"a text",
        "ben/other.txt": b"a text",
        "ben/report.docx": zip_of({"[Content_Types].xml": b""}),
        "labels.csv": b"uri\na.jpg\n",
        "table.parquet": parquet(),
        ".DS_Store": b"x",
        "Thumbs.db": b"x",
        "ben/._d.JPG": b"x",
        ".git/objects/a.jpg": picture(),
    }
    for name, data in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(data)
    return tmp_path / "photos"


LISTED = {"a.jfif", "b.avif", "c.dat", "IMG_2", "d.JPG", "e.jpe", "f.nef", "clip", "more.zip"}
LEFT_OUT = {
    "no picture (.txt)": 3,  # one of them in the archive
    "no picture (.md)": 1,
    "no picture (.docx)": 1,
    "a list or table in a folder (.csv): name it itself": 1,
    "a list or table in a folder (.parquet): name it itself": 1,
    "hidden, or left by the system": 5,
}


def test_each_file_of_a_folder_is_a_row_or_is_counted(photos: Path) -> None:
    listing = list_sources([str(photos)])
    assert {item.uri.rpartition("/")[2] for item in listing.items} == LISTED
    assert told(listing) == LEFT_OUT
    status = {item.uri.rpartition("/")[2]: (item.status, item.reason) for item in listing.items}
    assert status["f.nef"] == ("rejected", "a raw camera file (.nef): export it as JPEG or TIFF")
    (video,) = [item for item in listing.items if item.is_video]
    assert (video.uri, video.identity) == (str(photos / "ben/clip"), "ben")


def test_another_filesystem_gives_the_same(photos: Path) -> None:
    root = Root(f"memory://{uuid4().hex}/photos")
    for path in photos.rglob("*"):
        if path.is_file():
            root.write_bytes(path.relative_to(photos).as_posix(), path.read_bytes())
    listing = list_sources([root.url])
    assert {item.uri.rpartition("/")[2] for item in listing.items} == LISTED
    # Of a hidden folder each file is counted there, here the folder.
    assert told(listing) == LEFT_OUT
    assert Counter(item.kind for item in listing.items)["video"] == 1


def test_a_glob_takes_what_a_folder_would_and_counts_the_rest(photos: Path) -> None:
    listing = list_sources([f"{photos}/**/*"])
    assert {item.uri.rpartition("/")[2] for item in listing.items} == LISTED
    assert {item.identity for item in listing.items} == {"anna", "ben", "x"}
    assert told(listing)["no picture (.md)"] == 1


def test_a_folder_with_nothing_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(StorageError, match=r"names no image; 1 left out: no picture \(.txt\): give a folder with"):
        list_images([str(tmp_path)])


def test_what_is_no_regular_file_is_counted_or_told(photos: Path) -> None:
    os.mkfifo(photos / "anna/pipe")
    os.mkfifo(photos / "anna/pipe.jpg")
    listing = list_sources([str(photos / "anna")])
    assert "pipe.jpg" in {item.uri.rpartition("/")[2] for item in listing.items}
    assert told(listing) == {"no picture (no suffix)": 1}


@pytest.mark.parametrize(
    "spec",
    ["zip://*.jpg::photos.zip", "zip://anna/1.jpg::s3://bucket/photos.zip", "tar://a::b.tar", "zip://photos.zip"],
)
def test_a_chain_of_filesystems_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(
        StorageError, match=r"is a chain of filesystems: give .* itself, archives are read as they are"
    ) as caught:
        list_images([spec])
    assert "\n" not in str(caught.value)
