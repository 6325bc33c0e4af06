"""Named sets: small pointers to the newest manifests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import (
    NamedSet,
    Root,
    StorageError,
    check_set_name,
    fingerprint,
    list_sets,
    newest_first,
    read_set,
    write_set,
)

IMAGES, FACES, NEWER = fingerprint("images"), fingerprint("faces"), fingerprint("newer")


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}")


def test_a_set_is_read_as_written_in_the_order_of_the_pipeline(root: Root) -> None:
    written = write_set(root, "demo", {"faces": FACES, "images": IMAGES})
    assert read_set(root, "demo") == written == NamedSet("demo", {"images": IMAGES, "faces": FACES})
    assert list(written.tables) == ["images", "faces"]


def test_the_file_is_plain_json(root: Root) -> None:
    write_set(root, "demo", {"images": IMAGES})
    content = json.loads(root.read_bytes("sets/demo.json"))
    assert content == {"format": 1, "name": "demo", "tables": {"images": IMAGES}}


def test_writing_a_set_again_replaces_it_whole(root: Root) -> None:
    write_set(root, "demo", {"images": IMAGES, "faces": FACES})
    write_set(root, "demo", {"images": NEWER})
    assert read_set(root, "demo").tables == {"images": NEWER}


def test_sets_are_listed_by_name_and_other_files_are_not(root: Root) -> None:
    assert list_sets(root) == []
    for name in ("b", "a.2", "a"):
        write_set(root, name, {"images": IMAGES})
    root.write_bytes("sets/my notes.json", b"no set")
    root.write_bytes("sets/readme.txt", b"no set")
    assert [known.name for known in list_sets(root)] == ["a", "a.2", "b"]


def test_an_unknown_set_names_the_known_ones(root: Root) -> None:
    with pytest.raises(StorageError, match=r"there is no set 'demo' in .*; it holds none yet: run mien prepare"):
        read_set(root, "demo")
    write_set(root, "actors", {"images": IMAGES})
    write_set(root, "london", {"images": IMAGES})
    with pytest.raises(StorageError, match=r"there is no set 'demo' in .*; it holds actors, london"):
        read_set(root, "demo")


@pytest.mark.parametrize("name", ["a", "my-set_2.1", "ABC", "2026-11-22", "demo-by-demo"])
def test_names_that_are_allowed(name: str) -> None:
    check_set_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-flag", "a/b", "a b", "ä", "a\n", "../x", "0" * 32])
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(StorageError, match="cannot name a set"):
        check_set_name(name)


def test_only_tables_and_fingerprints_are_pointed_at(root: Root) -> None:
    with pytest.raises(StorageError, match="no table's fingerprint"):
        write_set(root, "demo", {"images": "latest"})
    with pytest.raises(StorageError, match="no table's fingerprint"):
        write_set(root, "demo", {"photos": IMAGES})
    assert list_sets(root) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"tables": 1}', b"\xff"])
def test_a_damaged_file_says_what_to_do(root: Root, content: bytes) -> None:
    root.write_bytes("sets/demo.json", content)
    with pytest.raises(StorageError, match=r"sets/demo.json is damaged: delete it"):
        read_set(root, "demo")


def test_a_newer_format_is_refused(root: Root) -> None:
    root.write_bytes("sets/demo.json", b'{"format": 2, "tables": {}}')
    with pytest.raises(StorageError, match="has format 2: upgrade mien"):
        read_set(root, "demo")


def test_the_set_that_was_written_last_comes_first(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    for name in ("b", "a", "c"):
        write_set(root, name, {"faces": "0" * 32})
    for age_s, name in enumerate(("a", "c", "b")):
        os.utime(tmp_path / "sets" / f"{name}.json", (1_000_000 - age_s, 1_000_000 - age_s))
    assert newest_first(root, ["a", "b", "c"]) == ["a", "c", "b"]
