"""Where a spec leads: a filesystem, and how its paths become URIs again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import Any, BinaryIO, TypeAlias, cast

import fsspec

from mien.storage.errors import StorageError
from mien.storage.root import open_url, storage_errors
from mien.storage.sources.item import suffix_of
from mien.storage.sources.local import BYTES_SCHEME, is_local, local_path, local_version, open_file
from mien.storage.sources.samples import SCHEME, sample_path

Info: TypeAlias = dict[str, Any]
"""What fsspec tells of a file."""

_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "Last-Modified", "updated", "created")
"""What filesystems call the mark that changes with a file's content, the surest first."""

_AT_ONCE = 16


@dataclass(frozen=True)
class RemotePlace:
    """A path on a filesystem that is not this machine's."""

    filesystem: fsspec.AbstractFileSystem
    path: str
    prefix: str
    """What makes a URI of a path on the filesystem again: protocol, and host if there is one."""

    @classmethod
    def of(cls, spec: str) -> RemotePlace:
        """Where the spec leads.

        Raises:
            StorageError: the protocol is unknown, or needs a package that is not installed.
        """
        filesystem, path = open_url(spec)
        path = path.rstrip("/") or path
        # Cut from the spec, since a filesystem may not tell its host.
        prefix = spec.rstrip("/").removesuffix(path.lstrip("/")) if "://" in spec else ""
        return cls(filesystem, path, prefix)

    def uri(self, path: str) -> str:
        """A path on the filesystem as a user writes it."""
        return self.prefix + path.lstrip("/")

    def with_stamps(self, infos: list[Info]) -> Iterator[Info]:
        """The same infos; those of a listing that tells no sizes (HTTP) are asked for one by one."""
        if all(info.get("size") is not None for info in infos):
            yield from infos
            return
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            yield from threads.map(self._asked, infos)

    def _asked(self, info: Info) -> Info:
        try:
            with storage_errors(str(info["name"])):
                return cast("Info", self.filesystem.info(info["name"]))
        except StorageError:
            return info  # reading it gives the reason


def remote_version(info: Info) -> str:
    """Size and the filesystem's mark of change."""
    stamp = next((info[name] for name in _STAMPS if info.get(name)), "")
    return f"{info.get('size')}-{stamp}".replace('"', "")


def versions_of(uris: list[str]) -> list[str]:
    """Versions of files, in their order; `unreadable` for those that cannot be asked for."""
    remote = [uri for uri in uris if not _is_near(uri)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = dict(zip(remote, threads.map(_remote_version_of, remote), strict=True))
    return [asked[uri] if uri in asked else _near_version(uri) for uri in uris]


def _is_near(uri: str) -> bool:
    return uri.startswith((SCHEME, BYTES_SCHEME)) or is_local(uri)


def _near_version(uri: str) -> str:
    try:
        # Of the package's files only the size is the same on every machine.
        return str(sample_path(uri).stat().st_size) if uri.startswith(SCHEME) else local_version(local_path(uri))
    except StorageError:
        return "unreadable"


def _remote_version_of(uri: str) -> str:
    try:
        with storage_errors(uri):
            filesystem, path = open_url(uri)
            return remote_version(filesystem.info(path))
    except StorageError:
        return "unreadable"


def open_source(uri: str) -> BinaryIO:
    """A source's file to read and seek in; of a remote one, only what is read is fetched.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    with storage_errors(uri):
        if uri.startswith(SCHEME):
            return sample_path(uri).open("rb")
        if _is_near(uri):
            return open_file(local_path(uri))
        filesystem, path = open_url(uri)
        if _gives_ranges(filesystem, path):
            return cast("BinaryIO", filesystem.open(path, "rb", block_size=_BLOCK_BYTES))
        return cast("BinaryIO", ForwardFile(lambda: filesystem.open(path, "rb", block_size=0)))


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
        shutil.copyfileobj(file, copy, _BLOCK_BYTES)
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
    if _is_near(uri) and not uri.startswith(BYTES_SCHEME):
        path = str(sample_path(uri)) if uri.startswith(SCHEME) else local_path(uri)
        if len(os.fsencode(path)) < _LONGEST_PATH:
            return path
    copy = opened.enter_context(NamedTemporaryFile(suffix=suffix_of(uri)))  # noqa: SIM115
    shutil.copyfileobj(file, copy, _BLOCK_BYTES)
    copy.flush()
    return copy.name


_LONGEST_PATH = 4000
_BLOCK_BYTES = 2**20


def _gives_ranges(filesystem: fsspec.AbstractFileSystem, path: str) -> bool:
    """HTTP servers may only give whole files; everything else gives parts."""
    return "http" not in filesystem.protocol or bool(filesystem.info(path).get("partial"))


class ForwardFile:
    """A stream as a file: going forward reads and forgets, going back opens it again."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._stream: Any = opened()
        self._at = 0

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only from the beginning or from where it is; past the end stays at the end."""
        target = offset + (self._at if whence == 1 else 0)
        if whence == 2:
            raise OSError("the length of a stream is not known")
        if target < self._at:
            self._stream.close()
            self._stream, self._at = self._opened(), 0
        while self._at < target and self.read(min(_BLOCK_BYTES, target - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end only."""
        parts, left = list[bytes](), size
        while left and (part := self._stream.read(left)):
            parts.append(part)
            left = left - len(part) if size > 0 else left
        data = b"".join(parts)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        """As files are asked."""
        return True

    def close(self) -> None:
        """Ends the stream."""
        self._stream.close()

    def __enter__(self) -> ForwardFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
