"""Tar archives: pictures by their place, labels beside them, and nothing that a hostile archive could reach."""

from __future__ import annotations

import errno
import io
import json
import os
import tarfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import LabelRule, Root, SourceItem, SourceReader, StorageError, list_images, list_sources, retries
from mien.storage.sources import archives

FILES = {
    "anna/001.jpg": b"first",
    "anna/001.json": json.dumps({"identity": "Anna", "expression": "sad", "license": "CC0"}).encode(),
    "anna/001.cls": b"3",
    "anna/002.png": b"the second" * 500,
    "003.jpg": b"third",
    "003.json": b"[not JSON",
    "../../../etc/004.jpg": b"fourth",
    "/absolute/005.webp": b"fifth",
    "anna/._001.jpg": b"left by a Mac",
    "notes.txt": b"no picture",
}


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def by_member(items: list[SourceItem]) -> dict[str, SourceItem]:
    return {str(item.member): item for item in items}


@pytest.mark.parametrize(("suffix", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar", "w:gz")])
def test_each_picture_is_found_and_read_alone(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"shard.{suffix}"
    path.write_bytes(tar_of(FILES, mode))
    items = by_member(list_images([str(path)]))
    assert set(items) == {name for name in FILES if name.endswith(("jpg", "png", "webp")) and "._" not in name}
    with SourceReader() as reader:
        for name in [*items, *reversed(list(items))]:
            assert reader.read(items[name]) == FILES[name]
    assert os.listdir(tmp_path) == [path.name]


def test_labels_are_those_of_the_json_file_then_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(FILES))
    items = by_member(list_images([str(tmp_path / "a.tar")]))
    labelled = items["anna/001.jpg"]
    assert (labelled.identity, labelled.expression, labelled.licence) == ("Anna", "sad", "CC0")
    assert items["anna/002.png"].identity == "anna"
    assert (items["003.jpg"].status, items["003.jpg"].reason) == ("failed", "the JSON file beside it is damaged")
    ruled = by_member(list_images([str(tmp_path / "a.tar")], LabelRule("{identity}/{expression}.png")))
    assert (ruled["anna/002.png"].identity, ruled["anna/002.png"].expression) == ("anna", "002")
    assert ruled["anna/001.jpg"].identity == "Anna"
    assert ruled["/absolute/005.webp"].status == "rejected"


def test_a_remote_archive_and_one_in_a_folder(tmp_path: Path) -> None:
    root = Root(f"memory://{uuid4().hex}")
    root.write_bytes("shards/0.tar", tar_of(FILES))
    for spec in (f"{root.url}/shards", f"{root.url}/shards/*.tar", f"{root.url}/shards/0.tar"):
        items = by_member(list_images([spec]))
        with SourceReader() as reader:
            assert reader.read(items["anna/002.png"]) == FILES["anna/002.png"]


def test_links_and_devices_are_rejected_and_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("l.jpg", tarfile.SYMTYPE), ("h.jpg", tarfile.LNKTYPE), ("f.jpg", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    items = list_images([str(tmp_path / "a.tar")])
    assert [item.status for item in items] == ["rejected"] * 3


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.8])
def test_an_archive_that_is_cut_off_keeps_what_it_has_and_says_so(tmp_path: Path, kept: float) -> None:
    whole = tar_of({f"anna/{n}.jpg": bytes([n]) * 700 for n in range(40)})
    (tmp_path / "a.tar").write_bytes(whole[: int(len(whole) * kept)])
    items = list_images([str(tmp_path / "a.tar")])
    failed = [item for item in items if item.status == "failed"]
    assert len(failed) == 1
    assert "cut off or damaged after" in str(failed[0].reason)
    with SourceReader() as reader:
        for item in items:
            if item.status == "ok":
                with suppress(StorageError):  # the last one may be cut off
                    assert reader.read(item) == bytes([int(str(item.member)[5:-4])]) * 700


def test_a_damaged_header_in_the_middle_is_no_silent_end(tmp_path: Path) -> None:
    whole = bytearray(tar_of({f"{n}.jpg": b"x" * 512 for n in range(10)}))
    whole[1024 * 5 : 1024 * 5 + 200] = os.urandom(200)
    (tmp_path / "a.tar").write_bytes(whole)
    items = list_images([str(tmp_path / "a.tar")])
    assert [item.status for item in items].count("ok") == 5
    assert "after 5 members" in next(str(item.reason) for item in items if item.status == "failed")


@pytest.mark.parametrize("data", [b"", b"not an archive" * 99, b"\x1f\x8b broken gzip", b"\0" * 600])
def test_what_is_no_archive_is_one_failed_row(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    (tmp_path / "1.jpg").write_bytes(b"beside it")
    statuses = [item.status for item in list_images([str(tmp_path)])]
    assert statuses.count("ok") == 1
    assert statuses.count("failed") == (data != b"\0" * 600)  # which is an empty archive, cut short


def test_an_unchanged_archive_is_not_read_again(tmp_path: Path) -> None:
    path, root = tmp_path / "a.tar", Root(str(tmp_path / "root"))
    path.write_bytes(tar_of(FILES))
    first = list_images([str(path)], cache=root)
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert list_images([str(path)], cache=root) == first
    path.write_bytes(b"?" * status.st_size)
    assert [item.status for item in list_images([str(path)], cache=root)] == ["failed"]


def test_people_below_folders_that_all_share(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(
        tar_of({f"/data/faces/{name}.jpg": b"x" for name in ("anna/1", "anna/x/2", "ben/3")})
    )
    assert [item.identity for item in list_images([str(tmp_path / "a.tar")])] == ["anna", "anna", "ben"]
    (tmp_path / "b.tar").write_bytes(
        tar_of({f"data/{name}.jpg": b"x" for name in ("cover", "anna/1", "ben/3", "ben/4")})
    )
    assert [item.identity for item in list_images([str(tmp_path / "b.tar")])] == ["data", "anna", "ben", "ben"]


def test_the_shards_of_a_dataset_share_their_folders(tmp_path: Path) -> None:
    for number, person in enumerate(("anna", "anna", "ben")):
        (tmp_path / f"{number}.tar").write_bytes(tar_of({f"faces/{person}/day {number}/1.jpg": b"x"}))
    for spec in (str(tmp_path), f"{tmp_path}/*.tar"):
        assert [item.identity for item in list_images([spec])] == ["anna", "anna", "ben"]


def test_pictures_by_content_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff"
    files = {
        "a/1": jpeg,
        "a/2.dat": jpeg,
        "a/3.txt": b"x",
        "a/4.txt": b"x",
        "a/.5.jpg": jpeg,
        "a/6.jfif": b"x",
        "a/x.mp4": b"",
    }
    (tmp_path / "a.tar").write_bytes(tar_of(files))
    listing = list_sources([str(tmp_path / "a.tar")], cache=Root(str(tmp_path / "root")))
    assert set(by_member(listing.items)) == {"a/1", "a/2.dat", "a/6.jfif", "a/x.mp4"}
    assert by_member(listing.items)["a/x.mp4"].status == "rejected"
    left_out = [note.text for note in listing.notes if note.kind == "left out"]
    assert left_out == ["1 left out: hidden, or left by the system", "2 left out: no picture (.txt)"]
    again = list_sources([str(tmp_path / "a.tar")], cache=Root(str(tmp_path / "root")))
    assert again == listing


def test_long_names_of_each_dialect(tmp_path: Path) -> None:
    name = "anna/" + "ü" * 150 + "/1.jpg"
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=dialect) as archive:
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
            archive.addfile(tarfile.TarInfo("ben/2.jpg"))
        item, _ = list_images([str(tmp_path / "a.tar")])
        assert (item.member, item.identity) == (name, "anna")
        with SourceReader() as reader:
            assert reader.read(item) == b"abc"


def test_a_label_that_is_too_long_fails_its_picture_only(tmp_path: Path) -> None:
    labels = json.dumps({"identity": "a" * 100_000}).encode()
    (tmp_path / "a.tar").write_bytes(tar_of({"1.json": labels, "1.jpg": b"x", "2.jpg": b"x"}))
    first, second = list_images([str(tmp_path / "a.tar")])
    assert (first.status, first.identity, second.status) == ("rejected", None, "ok")
    assert "its identity is of more than 256 characters" in str(first.reason)


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENODEV, errno.ENXIO, errno.EIO, None])
def test_a_disk_that_fails_while_an_archive_is_listed_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None
) -> None:
    """None: too little memory."""
    path, root = tmp_path / "a.tar", Root(str(tmp_path / "root"))
    path.write_bytes(tar_of(FILES))

    def failing(*_: object) -> object:
        raise MemoryError if error is None else OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(archives, "tar_entries", failing)
        patch.setattr(retries, "PAUSES_S", ())
        (away,) = list_images([str(path)], cache=root)
    assert (away.status, away.failure) == ("failed", "source")
    assert len(list_images([str(path)], cache=root)) > 1
    path.write_bytes(tar_of(FILES)[:4000])
    (cut,) = [item for item in list_images([str(path)], cache=root) if "cut off" in (item.reason or "")]
    assert (cut.status, cut.failure) == ("failed", None), "the archive's own fault, which the index calls content"
