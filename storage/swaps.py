"""Compare-and-swap of a small file of a root: it is replaced only where it still holds what the caller has read."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from mien.storage.errors import MissingError
from mien.storage.root import Root, s3_code, storage_errors
from mien.storage.whole_files import create_file, replace_file

_S3 = {"s3", "s3a"}
_REFUSED = {"PreconditionFailed", "ConditionalRequestConflict"}
"""S3's codes for a file that another writer has changed, or is changing at the moment."""

_one_at_a_time = threading.Lock()


def swap(root: Root, path: str, expected: bytes, data: bytes) -> bool:
    """Replaces the content of a file if it is `expected`; whether it did. Of several at once at most one gets True.

    A local filesystem does so under a lock of the folder, S3 by a put with `If-Match`. Where a folder cannot be locked
    (NFS) the file is renamed away, which one process alone can do; while it is away, for some microseconds, another
    process may create it anew, over what a third one has just swapped. A filesystem that has no such call is read and
    then written: there two at the very same moment may both get True, as may two on an S3-compatible store that
    overlooks the condition.

    Raises:
        StorageError: the root cannot be read or written.
    """
    if (local := root.local_path(path)) is not None:
        with storage_errors(root.uri(path)):
            return _swapped_locally(local, expected, data)
    if _S3 & _protocols(root.filesystem):
        return _swapped_by_condition(root, path, expected, data)
    with _one_at_a_time:
        if _content(root, path) != expected:
            return False
        root.write_bytes(path, data)
        return True


def _protocols(filesystem: Any) -> set[str]:
    protocol = filesystem.protocol
    return {protocol} if isinstance(protocol, str) else set(protocol)


def _swapped_locally(path: Path, expected: bytes, data: bytes) -> bool:
    try:
        with _locked(path.parent) as lock:
            if lock == "none":
                return _swapped_by_renaming(path, expected, data)
            # Who has the lock may be suspended with it: nobody waits for it.
            if lock == "busy" or path.read_bytes() != expected:
                return False
            replace_file(path, data)  # the file is never away, so nobody can create it meanwhile
            return True
    except FileNotFoundError:
        return False


@contextmanager
def _locked(folder: Path) -> Generator[Literal["ours", "busy", "none"], None, None]:
    """A lock of the folder itself leaves no file behind, and ends with its process."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield "busy"
        except OSError:
            yield "none"
        else:
            yield "ours"
    finally:
        os.close(opened)


def _swapped_by_renaming(path: Path, expected: bytes, data: bytes) -> bool:
    away = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        if path.read_bytes() != expected:
            return False
        os.rename(path, away)
    except FileNotFoundError:
        return False
    try:
        if away.read_bytes() == expected:
            return create_file(path, data)
        with suppress(OSError):  # it was swapped since it was read: back with it, unless there is another one by now
            os.link(away, path)
        return False
    finally:
        away.unlink(missing_ok=True)


def _swapped_by_condition(root: Root, path: str, expected: bytes, data: bytes) -> bool:
    full = root.full_path(path)
    try:
        with storage_errors(root.uri(path)):
            # The tag before the content: the content is then that of the tag, or newer, and newer ones are refused.
            tag = root.filesystem.info(full)["ETag"]
    except MissingError:
        return False
    if _content(root, path) != expected:
        return False
    with storage_errors(root.uri(path)):
        try:
            root.filesystem.pipe_file(full, data, IfMatch=tag)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or s3_code(error) in _REFUSED:
                return False
            raise
        return True


def _content(root: Root, path: str) -> bytes | None:
    try:
        return root.read_bytes(path)
    except MissingError:
        return None
