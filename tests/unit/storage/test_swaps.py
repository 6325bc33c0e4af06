"""Compare-and-swap: only where the file holds what was read, and for one of several at once."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mien.storage import Root
from mien.storage.swaps import swap


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}")


def test_a_file_is_swapped_where_it_holds_what_was_read(root: Root) -> None:
    root.write_bytes("folder/file", b"old")
    assert not swap(root, "folder/file", b"other", b"new")
    assert root.read_bytes("folder/file") == b"old"
    assert swap(root, "folder/file", b"old", b"new")
    assert root.read_bytes("folder/file") == b"new"
    assert [file.name for file in root.files("folder")] == ["file"]


def test_a_file_that_is_gone_is_not_swapped(root: Root) -> None:
    assert not swap(root, "folder/file", b"old", b"new")
    assert not root.exists("folder/file")


def who_took_it(take: Callable[[bytes], bool]) -> list[bytes]:
    """What those of four threads give who say, starting together, that they took it."""
    start, got = threading.Barrier(4), list[bytes]()

    def one(mine: bytes) -> None:
        start.wait()
        if take(mine):
            got.append(mine)

    threads = [threading.Thread(target=one, args=(f"new {number}".encode(),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_of_several_at_once_one_swaps(root: Root) -> None:
    for _ in range(20):
        root.write_bytes("file", b"old")
        (got,) = who_took_it(lambda mine: swap(root, "file", b"old", mine))
        assert root.read_bytes("file") == got


def test_while_one_swaps_nobody_else_swaps_or_creates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, path, others = Root(str(tmp_path)), tmp_path / "file", list[bool]()
    path.write_bytes(b"old")
    replaced = os.replace

    def late(*names: Any) -> None:
        monkeypatch.undo()
        others.append(swap(root, "file", b"old", b"second"))
        others.append(root.create_bytes("file", b"third"))
        replaced(*names)

    monkeypatch.setattr(os, "replace", late)
    assert swap(root, "file", b"old", b"first")
    assert others == [False, False]
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_of_some_that_swap_and_some_that_create_one_has_the_file(tmp_path: Path) -> None:
    """Threads that change in mid-swap. By renaming alone 14 of 4,000 turns had two."""
    root, path = Root(str(tmp_path)), tmp_path / "file"
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            path.write_bytes(b"old")
            (got,) = who_took_it(lambda mine: root.create_bytes("file", mine) or swap(root, "file", b"old", mine))
            assert path.read_bytes() == got
    finally:
        sys.setswitchinterval(interval_s)


def test_a_file_that_another_has_swapped_meanwhile_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder cannot be locked. Two have read the same; the other was faster, and its new file is what is
    renamed away."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    root, path = Root(str(tmp_path)), tmp_path / "file"
    path.write_bytes(b"old")
    read = Path.read_bytes

    def read_late(self: Path) -> bytes:
        content = read(self)
        if self == path:
            path.write_bytes(b"other's")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_late)
    assert not swap(root, "file", b"old", b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"other's"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
