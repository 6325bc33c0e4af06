"""A source's file to read from, wherever it lies: on this machine, on a web server, on any fsspec filesystem."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import SEEK_CUR, SEEK_END, SEEK_SET, BufferedReader, RawIOBase
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from mien.storage.errors import ContentError, StorageError
from mien.storage.retries import retried
from mien.storage.root import open_url, storage_errors
from mien.storage.sources.forward import BLOCK_BYTES, ForwardFile
from mien.storage.sources.grants import whole_url
from mien.storage.sources.http import Answer, is_http
from mien.storage.sources.http_files import http_info, http_part, http_stream
from mien.storage.sources.item import suffix_of
from mien.storage.sources.limits import SourceLimits, limits
from mien.storage.sources.local import BYTES_SCHEME, is_local, local_path, open_file
from mien.storage.sources.policy import origin
from mien.storage.sources.samples import SCHEME, sample_path

T = TypeVar("T")

_LONGEST_PATH = 4000


def is_near(uri: str) -> bool:
    """Whether a file lies on this machine."""
    return uri.startswith((SCHEME, BYTES_SCHEME)) or is_local(uri)


def asked_of(uri: str) -> str:
    """Who is asked for a file, as `retried` tells servers apart."""
    return "" if is_near(uri) else origin(uri)


def asked_again(uri: str, ask: Callable[[], T]) -> T:
    """The result of `ask`, which reads of this file: see `retried`."""
    # The other filesystems ask several times themselves.
    return retried(ask, asked_of(uri), None if is_near(uri) or is_http(uri) else 1)


def open_source(uri: str) -> BinaryIO:
    """A source's file to read and seek in; of a remote one, only what is read is fetched.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    with storage_errors(uri):
        if uri.startswith(SCHEME):
            return sample_path(uri).open("rb")
        if is_near(uri):
            return open_file(local_path(uri))
        if is_http(uri):
            return _open_http(uri)
        filesystem, path = open_url(whole_url(uri))
        return cast("BinaryIO", filesystem.open(path, "rb", block_size=BLOCK_BYTES))


def _open_http(uri: str) -> BinaryIO:
    info = asked_again(uri, lambda: http_info(uri))
    if info["partial"] and info["size"] is not None:
        return BufferedReader(HttpFile(uri, info["size"]), BLOCK_BYTES)

    def opened(start: int) -> Answer:
        answer = http_stream(uri, start)
        if start and info["ETag"] and answer.header("ETag") not in (None, info["ETag"]):
            answer.close()
            raise StorageError(f"{uri} changed while it was read: run again")
        return answer

    return cast("BinaryIO", ForwardFile(opened, asked_of(uri)))


class HttpFile(RawIOBase):
    """A file on a web server that gives parts."""

    def __init__(self, uri: str, size: int) -> None:
        self._uri, self._size, self._at = uri, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._at = max(0, offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data = asked_again(self._uri, lambda: http_part(self._uri, self._at, end))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_anywhere(uri: str) -> BinaryIO:
    """As `open_source`, for readers that begin at the end; where only a stream is to be had, a temporary copy of it.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    file: Any = open_source(uri)
    if not isinstance(file, ForwardFile):
        return file
    with storage_errors(uri), file:
        copy: Any = TemporaryFile()  # noqa: SIM115
        _copy(uri, file, copy)
        copy.seek(0)
        return copy


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """The path of a source's file on this machine: of a local one its own, else of a copy that is deleted at the end.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    with ExitStack() as opened:
        with storage_errors(uri):
            path = _path_of_copy(uri, opened)
        yield path


def _path_of_copy(uri: str, opened: ExitStack) -> str:
    file = opened.enter_context(open_source(uri))
    if is_near(uri) and not uri.startswith(BYTES_SCHEME):
        path = str(sample_path(uri)) if uri.startswith(SCHEME) else local_path(uri)
        if len(os.fsencode(path)) < _LONGEST_PATH:
            return path
    copy = opened.enter_context(NamedTemporaryFile(suffix=suffix_of(uri)))  # noqa: SIM115
    _copy(uri, file, copy)
    copy.flush()
    return copy.name


def _copy(uri: str, file: Any, copy: Any) -> None:
    limit, done = limits().copied_bytes, 0
    if is_near(uri):
        shutil.copyfileobj(file, copy, BLOCK_BYTES)
        return
    while data := file.read(BLOCK_BYTES):
        done += len(data)
        if done > limit:
            raise ContentError(f"{uri} is of more than {limit} bytes: set {SourceLimits.variable('copied_bytes')}")
        copy.write(data)
