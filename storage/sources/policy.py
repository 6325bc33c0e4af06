"""Where data may lead: lists, tables, links and redirects stay within what the run was given.

| data names | allowed without more | refused |
|---|---|---|
| a local path, also through links | below the folder of a given list, or below a given folder | everything else |
| http(s) | the host and port of a given URL | other hosts |
| another protocol | the bucket or host of a given URL | other buckets and hosts |
| an address of this machine or network | where the user named the host itself | otherwise, also after a redirect |
| a chain (`zip://…::…`) | never | always |

`allow` adds prefixes: a folder, `https://host/path`, `s3://bucket/prefix`, or a protocol alone (`https://`: all public
hosts). A prefix ends at a `/`.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import unquote, urlsplit

from mien.storage.errors import OutsideError
from mien.storage.sources.addresses import is_private_host, is_public
from mien.storage.sources.local import BYTES_SCHEME, is_local, local_path
from mien.storage.sources.samples import SCHEME

_WEB = ("http", "https")
_PORTS = {"http": 80, "https": 443}
_HOSTED = frozenset({*_WEB, "ftp", "ftps", "sftp", "ssh", "smb", "hdfs", "webhdfs", "webdav", "dask"})
"""Protocols whose addresses begin with a host rather than with a bucket."""
_MAX_SHOWN = 200


@dataclass(frozen=True)
class SourcePolicy:
    """What a run may read."""

    given: tuple[str, ...] = ()
    """Absolute folders and files of this machine, without links, and `protocol://host` of URLs: what the user named."""
    allow: tuple[str, ...] = ()
    """Prefixes that the user allowed besides."""

    def refusal(self, uri: str) -> str | None:
        """Why data may not lead to this URI; None where it may."""
        if uri.startswith(SCHEME) or self._allows(uri):
            return None
        return f"outside of what the run was given: {_shown(uri)}; --allow PREFIX"

    def check(self, uri: str) -> None:
        """Raises OutsideError where data may not lead to this URI."""
        if (reason := self.refusal(uri)) is not None:
            raise OutsideError(reason)

    def check_address(self, uri: str, address: str) -> None:
        """Raises OutsideError where a host's address is not public, and the user did not name that host.

        Args:
            uri: What is asked for.
            address: The IP address that its host leads to.
        """
        if not is_public(address) and not self._names_host(uri):
            raise OutsideError(
                f"outside of what the run was given: {_shown(uri)} leads to {address}, an address of this machine or "
                "network; --allow PREFIX"
            )

    def _allows(self, uri: str) -> bool:
        if "::" in uri and "://" in uri:
            return False
        if _is_path(uri):
            real = real_path(local_path(uri))
            return any(_below(real, top) for top in self._folders)
        if (normal := normal_url(uri)) is None:
            return False
        if self._names_host(uri):
            return origin(uri) in self.given or self._fits(normal)
        parts = urlsplit(uri)
        return self._fits(normal) and not (parts.scheme in _HOSTED and is_private_host(parts.hostname or ""))

    def _fits(self, url: str) -> bool:
        return any(_below(url, top) for top in self._prefixes)

    def _names_host(self, uri: str) -> bool:
        own = origin(uri)
        return own in self.given or any(origin(top) == own for top in self._prefixes)

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        allowed = (real_path(local_path(each)) for each in self.allow if _is_path(each))
        return (*(each for each in self.given if "://" not in each), *allowed)

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(url for each in self.allow if not _is_path(each) and (url := normal_url(each)) is not None)


def of_uri(uri: str) -> SourcePolicy:
    """What reading one stored address may lead to: the address's own host, or the file itself."""
    return SourcePolicy((real_path(local_path(uri)) if _is_path(uri) else origin(uri),))


def _is_path(uri: str) -> bool:
    return uri.startswith(BYTES_SCHEME) or is_local(uri)


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(top if top.endswith("/") else f"{top}/")


def origin(url: str) -> str:
    """`protocol://host:port` of a web address, `protocol://bucket` of another. http and https of one host are one."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _WEB:
        return f"{scheme}://{parts.netloc.rpartition('@')[2]}"
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS[scheme]
    return f"web://{host}" if port in _PORTS.values() else f"web://{host}:{port}"


def normal_url(url: str) -> str | None:
    """The address with small letters where case does not count, without user, query and `..`; None if it is none."""
    if any(ord(character) <= 32 or character in "\\\x7f" for character in url):
        url = url.replace(" ", "%20")
        if any(ord(character) < 32 or character in "\\\x7f" for character in url):
            return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, path = parts.scheme.lower(), parts.path
    if scheme in _WEB:
        host = (parts.hostname or "").rstrip(".")
        netloc = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
        while "%" in path and (plain := unquote(path)) != path:  # %2e%2e is two dots
            path = plain
    else:
        netloc = parts.netloc.rpartition("@")[2]
    # normpath keeps two slashes at the beginning.
    normal = posixpath.normpath(path).replace("//", "/") if path else ""
    ending = "/" if path.endswith("/") and normal != "/" else ""
    return f"{scheme}://{netloc}{normal}{ending}"


def real_path(path: str) -> str:
    """The path without links."""
    folder, name = os.path.split(path)
    try:
        real = os.path.join(_real_folder(folder), name) if name else _real_folder(folder)
        return os.path.realpath(real) if os.path.islink(real) else real
    except ValueError:  # no file has a name like that
        return path


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def forget_links() -> None:
    """What was found of links before a listing does not hold for the next one."""
    _real_folder.cache_clear()


def _shown(uri: str) -> str:
    """As short as tells what to allow: many rows lead to one host or folder."""
    if _is_path(uri):
        path = local_path(uri)
        real = real_path(path)
        where = f"{path}, a link to {real}" if real != path else os.path.dirname(path)
    else:
        parts = urlsplit(uri) if normal_url(uri) is not None else None
        where = uri if parts is None or "::" in uri else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
    return where if len(where) <= _MAX_SHOWN else f"{where[:_MAX_SHOWN]}…"
