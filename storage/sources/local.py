"""Local files, however they are named or nested.

Python's and fsspec's own walks follow no links, or follow loops; stop silently at folders that cannot be listed and at
paths longer than the system takes in one call; and recurse. Reading a pipe would never end.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes

from mien.storage.sources.item import is_hidden

BYTES_SCHEME = "bytes:"
"""Of the URI of a local file whose name is no text: Parquet keeps no such strings."""

_OWN_SCHEMES = ("file", "local")
_LONGEST_PATH = 4000
"""Linux takes paths of up to 4,095 bytes in one call."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class FoundFile:
    """A file below a folder, or a folder that could not be listed."""

    path: str
    version: str
    """`{size}-{time of change in ns}`; `unreadable` for a dangling link."""
    error: str | None = None
    """Why the folder could not be listed."""
    outside: str | None = None
    """Why a link is not followed."""
    hidden: bool = False
    """A file or folder that people do not mean; a folder is not looked into."""


def is_local(spec: str) -> bool:
    """Whether a path or URL is one of this machine's."""
    scheme, separator, _ = spec.partition("://")
    return not separator or scheme.lower() in _OWN_SCHEMES


def local_path(spec: str) -> str:
    """The absolute path of a local spec or URI. In a `file://` URI, `%20` is a blank, unless a file is called so."""
    if spec.startswith(BYTES_SCHEME):
        return os.fsdecode(unquote_to_bytes(spec.removeprefix(BYTES_SCHEME)))
    scheme, separator, rest = spec.partition("://")
    if separator and scheme.lower() in _OWN_SCHEMES:
        return _path_of_url(rest)
    return os.path.abspath(os.path.expanduser(spec))


def _path_of_url(rest: str) -> str:
    host, slash, path = rest.partition("/")
    written = slash + path if host.lower() == "localhost" else rest
    if "%" in written and not os.path.lexists(written):
        written = os.fsdecode(unquote_to_bytes(written))
    return os.path.abspath(os.path.expanduser(written))


def local_uri(path: str) -> str:
    """The path itself, or `bytes:…` where it is no text."""
    if path.isascii():
        return path
    try:
        path.encode()
    except UnicodeEncodeError:
        return BYTES_SCHEME + quote(os.fsencode(path))
    return path


def local_version(path: str) -> str:
    """Size and time of change; `unreadable` where the file has none."""
    try:
        return version_of(os.stat(path))
    except (OSError, ValueError):
        return "unreadable"  # it stays in the listing, and reading it gives the reason


def version_of(status: os.stat_result) -> str:
    """Another one means that the file may have changed."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def open_file(path: str) -> BinaryIO:
    """A regular file to read from.

    Raises:
        OSError: there is none, it is a pipe or a device, or access is refused.
    """
    number = _open(path, _FILE)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("it is no regular file")
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_head(path: str, size: int) -> bytes:
    """The beginning of a regular file. (Done for each file of a folder: plain calls of the system.)

    Raises:
        OSError: as `open_file`.
    """
    number = _open(path, _FILE)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("it is no regular file")
        return os.read(number, size)
    finally:
        os.close(number)


def _open(path: str, flags: int) -> int:
    """As os.open, in several steps where the path is too long for one."""
    if len(path) < _LONGEST_PATH // 4 or len(os.fsencode(path)) < _LONGEST_PATH:
        return os.open(path, flags)
    *folders, last = _pieces(path)
    at = os.open("/", _FOLDER)
    for piece, how in [*((folder, _FOLDER) for folder in folders), (last, flags)]:
        try:
            below = os.open(piece, how, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _pieces(path: str) -> list[str]:
    pieces, piece = list[str](), ""
    for name in path.strip("/").split("/"):
        longer = f"{piece}/{name}" if piece else name
        if piece and len(os.fsencode(longer)) >= _LONGEST_PATH:
            pieces.append(piece)
            longer = name
        piece = longer
    return [*pieces, piece]


def walk(top: str, refusal: Callable[[str], str | None], max_levels: int | None = None) -> Iterator[FoundFile]:
    """Files below a folder, and the folders that cannot be listed.

    Links to folders are followed, each folder once and by its real path rather than by a link to it, so that a link
    back up ends.

    Args:
        top: The folder.
        refusal: Why the target of a link is not to be read; None where it may be.
        max_levels: How many folders deep; all if empty.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [(top, 0)], deque[tuple[str, int]]()
    while folders or links:
        folder, level = folders.pop() if folders else links.popleft()
        try:
            number = _open(folder, _FOLDER)
        except OSError as error:
            yield FoundFile(folder, "unreadable", f"the folder cannot be listed: {error.strerror}")
            continue
        try:
            status = os.fstat(number)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(number) as listing:
                entries = sorted(listing, key=lambda e: e.name)
                deeper = max_levels is None or level < max_levels
                for entry in reversed(entries):
                    path = f"{folder.rstrip('/')}/{entry.name}"
                    if is_hidden(entry.name):
                        yield FoundFile(path, "", hidden=True)
                    elif entry.is_symlink() and (outside := refusal(path)) is not None:
                        yield FoundFile(path, "unreadable", outside=outside)
                    elif not _is_folder(entry):
                        yield FoundFile(path, _entry_version(entry))
                    elif deeper:
                        (links if entry.is_symlink() else folders).append((path, level + 1))
        except OSError as error:
            yield FoundFile(folder, "unreadable", f"the folder cannot be listed: {error.strerror}")
        finally:
            os.close(number)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entry_version(entry: os.DirEntry[str]) -> str:
    try:
        return version_of(entry.stat())
    except OSError:
        return "unreadable"
