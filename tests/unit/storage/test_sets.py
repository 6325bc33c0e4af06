"""Named sets: small pointers to the newest manifests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import (
    ChangedError,
    NamedSet,
    Root,
    StorageError,
    check_set_name,
    fingerprint,
    list_sets,
    newest_first,
    read_set,
    read_version,
    set_history,
    set_version,
    write_set,
)
from tests.paths import REPOSITORY

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
    assert content.pop("written").endswith("+00:00")
    assert content == {"format": 1, "name": "demo", "version": 1, "about": {}, "tables": {"images": IMAGES}}
    assert root.read_bytes("sets/history/demo/00000001.json") == root.read_bytes("sets/demo.json")


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


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-flag", "a/b", "a b", "ä", "a\n", "../x", "0" * 32, "history"]
)
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


def test_each_version_is_kept_and_can_be_read(root: Root) -> None:
    assert set_version(root, "demo") == 0
    first = write_set(root, "demo", {"images": IMAGES}, about={"sources": ["photos"]})
    second = write_set(root, "demo", {"images": NEWER})
    assert (first.version, second.version, set_version(root, "demo")) == (1, 2, 2)
    assert read_version(root, "demo", 1).tables == {"images": IMAGES}
    assert read_version(root, "demo", 1).about == {"sources": ["photos"]}
    assert [version.tables["images"] for version in set_history(root, "demo")] == [IMAGES, NEWER]
    with pytest.raises(StorageError, match="the set 'demo' has no version 3; it has 1, 2"):
        read_version(root, "demo", 3)


def test_the_same_tables_again_make_no_version(root: Root) -> None:
    write_set(root, "demo", {"images": IMAGES})
    assert write_set(root, "demo", {"images": IMAGES}).version == 1
    assert write_set(root, "demo", {"images": IMAGES}, after=0).version == 1  # another run came to the same end


def test_of_two_runs_that_change_a_set_at_once_the_second_is_told(root: Root) -> None:
    write_set(root, "demo", {"images": IMAGES})
    began = set_version(root, "demo")
    write_set(root, "demo", {"images": NEWER}, after=began)
    with pytest.raises(ChangedError, match="was changed by another run meanwhile"):
        write_set(root, "demo", {"images": FACES}, after=began)
    assert read_set(root, "demo").tables == {"images": NEWER}


RACE = """
import sys
from mien.storage import ChangedError, Root, write_set
root, number = Root(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
try:
    print(write_set(root, "demo", {"images": number * 32}, after=0).version)
except ChangedError:
    print("changed")
"""


def test_of_many_processes_at_once_exactly_one_makes_a_version(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    racing = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for n in range(6)
    ]
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0].strip() for process in racing)
    assert said == ["1", *["changed"] * 5]
    (only,) = set_history(Root(str(tmp_path)), "demo")
    assert json.loads((tmp_path / "sets/demo.json").read_text())["tables"] == only.tables


def test_a_damaged_pointer_harms_nothing_and_is_made_again(root: Root) -> None:
    write_set(root, "demo", {"images": IMAGES})
    root.write_bytes("sets/demo.json", b"{")
    assert read_set(root, "demo").tables == {"images": IMAGES}
    assert [known.name for known in list_sets(root)] == ["demo"]
    write_set(root, "demo", {"images": IMAGES})
    assert json.loads(root.read_bytes("sets/demo.json"))["tables"] == {"images": IMAGES}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"tables": 1}', b"\xff"])
def test_a_damaged_version_is_named_and_made_again(
    root: Root, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write_set(root, "demo", {"images": IMAGES})
    write_set(root, "other", {"images": NEWER})
    good = root.read_bytes("sets/history/demo/00000001.json")
    root.write_bytes("sets/history/demo/00000001.json", content)
    assert [known.name for known in list_sets(root)] == ["demo", "other"]
    assert "sets/history/demo/00000001.json is damaged" in caplog.text
    assert root.read_bytes("sets/history/demo/00000001.json") == good


def test_one_set_that_is_lost_does_not_hide_the_others(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    write_set(root, "demo", {"images": IMAGES})
    write_set(root, "other", {"images": NEWER})
    for path in ("sets/demo.json", "sets/history/demo/00000001.json"):
        root.write_bytes(path, b"{")
    assert [known.name for known in list_sets(root)] == ["other"]
    assert "00000001.json is damaged: mien rollback --set demo goes back" in caplog.text
    with pytest.raises(StorageError, match="is damaged: mien rollback"):
        read_set(root, "demo")


def test_a_set_from_before_versions_were_kept_is_read_and_goes_on(root: Root) -> None:
    old = {"format": 1, "name": "demo", "tables": {"images": IMAGES}}
    root.write_bytes("sets/demo.json", json.dumps(old).encode())
    assert read_set(root, "demo") == NamedSet("demo", {"images": IMAGES})
    assert write_set(root, "demo", {"images": NEWER}, after=0).version == 1
