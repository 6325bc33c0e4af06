"""Roots: local folders and memory:// behave alike, writes are whole, errors say what to do."""

from __future__ import annotations

import multiprocessing as mp
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mien.storage import MissingError, Root, StorageError
from mien.storage.root import storage_errors


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root") if request.param == "local" else f"memory://{uuid4().hex}/root")


def test_what_is_written_is_read_and_listed(root: Root) -> None:
    root.write_bytes("a/b/two.bin", b"2")
    root.write_bytes("a/b/one.bin", b"1")
    root.write_bytes("a/b/c/inner.bin", b"3")

    assert root.read_bytes("a/b/two.bin") == b"2"
    assert root.list("a/b") == ["one.bin", "two.bin"]
    assert root.exists("a/b/one.bin")
    assert root.exists("a")
    with root.open("a/b/c/inner.bin") as file:
        assert file.read() == b"3"


def test_a_folder_goes_with_all_below_it_and_alone(root: Root) -> None:
    for path in ("a/.hidden/one", "a/two", "b"):
        root.write_bytes(path, b"x")
    root.delete_folder("a")
    root.delete_folder("a")
    assert root.files_below() == ["b"]
    assert not root.exists("a")
    for path in ("", "../b"):
        with pytest.raises(StorageError):
            root.delete_folder(path)


def test_a_write_replaces_and_a_delete_may_come_twice(root: Root) -> None:
    root.write_bytes("file", b"old, and longer")
    root.write_bytes("file", b"new")
    assert root.read_bytes("file") == b"new"

    root.delete("file")
    root.delete("file")
    assert not root.exists("file")


def test_what_is_not_there(root: Root) -> None:
    assert root.list("nowhere") == []
    assert not root.exists("nowhere")
    with pytest.raises(MissingError, match=r"nowhere/x does not exist: correct the path"):
        root.read_bytes("nowhere/x")
    with pytest.raises(MissingError):
        root.open("nowhere/x")


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd"])
def test_no_path_leads_out_of_the_root(root: Root, path: str) -> None:
    with pytest.raises(StorageError, match="leads out of"):
        root.write_bytes(path, b"")


def test_a_root_goes_to_another_process_as_its_url(root: Root) -> None:
    root.write_bytes("file", b"here")
    here, there = mp.Pipe()  # as a worker process is sent its work
    with here, there:
        here.send(root)
        copy = there.recv()
        here.send(root)
        assert len(there.recv_bytes()) < len(root.url) + 100
    assert copy == root
    assert hash(copy) == hash(root)
    assert copy.read_bytes("file") == b"here"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("./data", "./data"),
        ("./data//", "./data"),
        ("/", "/"),
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("s3://bucket/", "s3://bucket"),
        ("memory://", "memory://"),
        ("file:///", "file:///"),
    ],
)
def test_the_url_is_kept_as_given_without_a_trailing_slash(given: str, kept: str) -> None:
    assert Root(given).url == kept


def test_a_relative_root_keeps_its_folder_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Root("./data")
    monkeypatch.chdir("/")
    root.write_bytes("sets/a.json", b"{}")
    assert root.local_path("") == tmp_path / "data"
    assert root.local_path("sets/a.json") == tmp_path / "data/sets/a.json"
    assert (tmp_path / "data/sets/a.json").read_bytes() == b"{}"
    assert root.uri("sets/a.json") == "./data/sets/a.json"


def test_a_remote_root_has_no_local_path() -> None:
    assert Root("memory://elsewhere").local_path("file") is None


def test_a_file_url_is_local(tmp_path: Path) -> None:
    assert Root(f"file://{tmp_path}").local_path("x") == tmp_path / "x"


def test_a_failed_local_write_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(str(tmp_path))
    root.write_bytes("file", b"former")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        root.write_bytes("file", b"latter")
    assert root.read_bytes("file") == b"former"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_write_leaves_is_not_listed(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write_bytes("folder/file", b"")
    (tmp_path / "folder/.file.0123.tmp").write_bytes(b"half")
    assert root.list("folder") == ["file"]


def test_linked_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Root(str(tmp_path)).list("") == ["link", "real"]


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("nope://bucket", r"nope://bucket has an unknown protocol: write a folder or an fsspec URL"),
        ("gs://bucket", r"gs://bucket needs a package that is not installed: .*gcsfs"),
        (" ", r"the root is empty"),
    ],
)
def test_a_root_that_cannot_be_opened_says_what_to_do(url: str, advice: str) -> None:
    with pytest.raises(StorageError, match=advice):
        Root(url)


def test_a_root_below_a_file_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"file/root/x cannot be read or written \(\w+Error: .*\): check"):
        Root(str(tmp_path / "file/root")).write_bytes("x", b"")


def test_refused_access_says_what_to_check() -> None:
    with pytest.raises(StorageError, match="check the permissions of the file"), storage_errors("./data"):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID"), storage_errors("s3://bucket"):
        raise PermissionError("Access\nDenied")


def test_an_error_is_one_line() -> None:
    with pytest.raises(StorageError) as caught, storage_errors("s3://bucket"):
        raise OSError("first\nsecond")
    assert "first second" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_listings_are_never_stale(root: Root) -> None:
    other = Root(root.url)
    reads: list[Callable[[], list[str]]] = [lambda: root.list("t"), lambda: other.list("t")]
    assert [read() for read in reads] == [[], []]
    other.write_bytes("t/a", b"")
    assert [read() for read in reads] == [["a"], ["a"]]


class WithoutModes(MemoryFileSystem):
    """Of those that take any argument and heed the ones they know."""

    protocol = "withoutmodes"
    store: ClassVar[dict[str, Any]] = {}

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        super().pipe_file(path, value)


def test_a_filesystem_that_ignores_the_mode_of_writing_writes_over_nothing() -> None:
    fsspec.register_implementation("withoutmodes", WithoutModes)
    root = Root("withoutmodes://root")
    assert [root.create_bytes("a", b"1"), root.create_bytes("a", b"2")] == [True, False]
    assert root.read_bytes("a") == b"1"


def modes(folder: Path) -> set[str]:
    return {oct(stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.rglob("*"))}


def test_what_is_made_is_the_users_alone(tmp_path: Path) -> None:
    made = Root(str(tmp_path / "above" / "root"))
    made.write_bytes("a/b/file", b"1")
    made.write_bytes("a/b/file", b"2")
    assert made.create_bytes("a/new", b"3")
    assert modes(tmp_path / "above") == {"0o700", "0o600"}


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root").chmod(0o755)
    Root(str(tmp_path / "root")).write_bytes("file", b"1")
    assert modes(tmp_path / "root") == {"0o755", "0o600"}


def test_a_shared_root_is_left_to_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_SHARED_ROOT", "1")
    before = os.umask(0o027)
    try:
        Root(str(tmp_path / "root")).write_bytes("a/file", b"1")
    finally:
        os.umask(before)
    assert modes(tmp_path / "root") == {"0o750", "0o640"}


def test_all_files_are_listed_hidden_ones_too(root: Root) -> None:
    assert root.files_below() == []
    for path in ("b/c/two", "a", "b/.one.tmp"):
        root.write_bytes(path, b"")
    assert root.files_below() == ["a", "b/.one.tmp", "b/c/two"]
    assert root.files_below("b") == ["b/.one.tmp", "b/c/two"]


@pytest.mark.parametrize(
    "url",
    ["reference://x.json", "REFERENCE://x", "reference::/x.json", "reference://::https://example.org/x.json",
     "filecache::s3://bucket", "zip://x::/photos.zip", "kerchunk://x"],
)  # fmt: skip
def test_a_root_is_no_chain_and_no_file_of_templates(url: str) -> None:
    with pytest.raises(StorageError, match="chain of filesystems or a reference file") as caught:
        Root(url)
    assert "\n" not in str(caught.value)


def test_a_link_to_nothing_is_listed_and_a_folder_that_never_holds_still_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(str(tmp_path))
    root.write_bytes("a/file", b"x")
    (tmp_path / "a/link").symlink_to(tmp_path / "nothing")
    assert root.list("a") == ["file", "link"]
    assert [file.name for file in root.files("a")] == ["file"]

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError("a/file")

    monkeypatch.setattr(root.filesystem, "ls", gone)
    with pytest.raises(MissingError):
        root.list("a")
    assert root.list("b") == []


def test_a_listing_beside_files_that_come_and_go_leaves_out_nothing_that_stays(tmp_path: Path) -> None:
    """As in `runs/`, where a listing without a marker means that nobody is at work."""
    root = Root(str(tmp_path))
    for number in range(20):
        root.write_bytes(f"runs/{number:02d}.json", b"{}")
    there, over = root.list("runs"), threading.Event()

    def come_and_go(name: str) -> None:
        while not over.is_set():
            for number in range(5):
                path = tmp_path / f"runs/.{name}{number}.tmp"
                path.write_bytes(b"")
                path.unlink()

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            assert root.list("runs") == there
            assert [file.name for file in root.files("runs") if not file.name.startswith(".")] == there
            assert [path for path in root.files_below() if path.endswith(".json")] == [f"runs/{n}" for n in there]
            assert root.folders("") == ["runs"]
    finally:
        over.set()
        for thread in threads:
            thread.join()
