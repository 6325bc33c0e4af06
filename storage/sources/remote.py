"""Files on other filesystems: which there are, and whether they have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import fsspec

from mien.storage.errors import OutsideError, StorageError
from mien.storage.root import open_url, storage_errors
from mien.storage.sources.access import asked_again, is_near
from mien.storage.sources.grants import public_specs, whole_url
from mien.storage.sources.http import is_http
from mien.storage.sources.http_files import http_info
from mien.storage.sources.local import local_path, local_version
from mien.storage.sources.samples import SCHEME, sample_path

Info: TypeAlias = dict[str, Any]
"""What fsspec tells of a file."""

UNREADABLE = "unreadable"
"""The version of a file that cannot be asked for: it stays in the listing, and reading it gives the reason."""

_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "Last-Modified", "updated", "created")
"""What filesystems call the mark that changes with a file's content, the surest first."""

AT_ONCE = 16


@dataclass(frozen=True)
class RemotePath:
    """A path on a filesystem that is neither this machine's nor a web server's."""

    filesystem: fsspec.AbstractFileSystem
    path: str
    prefix: str
    """What makes a URI of a path on the filesystem again: protocol, and host with its credentials if there is one."""

    @classmethod
    def of(cls, spec: str) -> RemotePath:
        """Where the spec leads.

        Raises:
            StorageError: the protocol is unknown, or needs a package that is not installed.
        """
        whole = whole_url(spec)
        filesystem, path = open_url(whole)
        path = path.rstrip("/") or path
        # Cut from the spec, since a filesystem may not tell its host.
        return cls(filesystem, path, whole.rstrip("/").removesuffix(path.lstrip("/")))

    def uris(self, paths: Iterable[str]) -> list[str]:
        """Paths on the filesystem as a user writes them, without secrets; these are kept for reading."""
        return public_specs([self.prefix + path.lstrip("/") for path in paths])


def version_of_info(info: Info) -> str:
    """Size and the filesystem's mark of change."""
    stamp = next((info[name] for name in _STAMPS if info.get(name)), "")
    return f"{info.get('size')}-{stamp}".replace('"', "")


@dataclass(frozen=True)
class Version:
    """What a listing says of a file that a list names."""

    text: str
    outside: str | None = None
    """Why data may not lead there, where only asking shows it."""


def versions_of(uris: list[str]) -> Iterator[Version]:
    """Versions of files, in their order; `unreadable` for those that cannot be asked for."""
    remote = list(dict.fromkeys(uri for uri in uris if not is_near(uri)))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        asked = dict(zip(remote, threads.map(_remote_version, remote), strict=True))
    for uri in uris:
        yield asked[uri] if uri in asked else Version(near_version(uri))


def near_version(uri: str) -> str:
    """Of a file on this machine."""
    try:
        # Of the package's files only the size is the same on every machine.
        return str(sample_path(uri).stat().st_size) if uri.startswith(SCHEME) else local_version(local_path(uri))
    except StorageError:
        return UNREADABLE


def _remote_version(uri: str) -> Version:
    try:
        return Version(version_of_info(info_of(uri)))
    except OutsideError as error:
        return Version(UNREADABLE, str(error))
    except StorageError:
        return Version(UNREADABLE)


def info_of(uri: str) -> Info:
    """What the filesystem or web server tells of a file.

    Raises:
        StorageError: it does not exist, or cannot be asked for.
    """
    return asked_again(uri, lambda: _info(uri))


def _info(uri: str) -> Info:
    with storage_errors(uri):
        if is_http(uri):
            return http_info(uri)
        filesystem, path = open_url(whole_url(uri))
        return cast("Info", filesystem.info(path))
