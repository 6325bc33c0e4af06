"""Which files lie below a folder, or fit a glob, on a web server or another filesystem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from glob import has_magic
from html.parser import HTMLParser
from typing import cast
from urllib.parse import unquote, urljoin, urlsplit

from fsspec.utils import glob_translate

from mien.storage.errors import ContentError, MissingError, StorageError
from mien.storage.root import storage_errors
from mien.storage.secrets import public_url
from mien.storage.sources.access import asked_again, open_source
from mien.storage.sources.grants import public_specs, whole_url
from mien.storage.sources.http import asked, is_http
from mien.storage.sources.item import HIDDEN, is_hidden
from mien.storage.sources.kinds import HEAD_BYTES, Kind, claimed_kind, kind_of
from mien.storage.sources.limits import Clock, SourceLimits, limits
from mien.storage.sources.notes import Notebook, left_out
from mien.storage.sources.policy import origin
from mien.storage.sources.remote import AT_ONCE, UNREADABLE, Info, RemotePath, info_of, version_of_info

_MAX_PAGE_BYTES = 16 * 2**20
"""Of a web server's list of a folder."""
_MAX_LEVELS = 32


@dataclass(frozen=True)
class RemoteFile:
    """A file that was found."""

    uri: str
    """Without secrets."""
    path: str
    """On its filesystem, as people write it."""
    version: str
    kind: Kind
    top: str = ""
    """The folder that the user named, or the fixed part of a glob."""
    globbed: bool = False


def remote_file(spec: str) -> RemoteFile | None:
    """The file that a spec names; None for a folder or a glob.

    Raises:
        StorageError: there is nothing of this name, or it cannot be asked for.
    """
    (uri,) = public_specs([spec])
    path = _path(uri) if is_http(spec) else RemotePath.of(spec).path
    if is_http(spec) and (path.endswith("/") or has_magic(path)):
        return None
    try:
        info = info_of(uri)
    except MissingError:
        if not has_magic(path):
            raise
        return None
    if info["type"] == "directory":
        return None
    return RemoteFile(uri, path, version_of_info(info), _sniffed(uri, path))


def remote_files(spec: str, notebook: Notebook) -> Iterator[RemoteFile]:
    """The files below a folder, or those that fit a glob.

    Raises:
        StorageError: the folder cannot be listed.
    """
    found = _web_files(spec, notebook) if is_http(spec) else _stored_files(spec, notebook)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for file, reason in threads.map(_with_kind, found):
            if reason is not None:
                notebook.leave_out(reason)
            else:
                yield file


def _with_kind(asked_for: tuple[RemoteFile, bool]) -> tuple[RemoteFile, str | None]:
    """A file with its kind and version, and why it is left out. Bytes are asked for where the name tells nothing."""
    file, named = asked_for
    kind = claimed_kind(file.path) or ("image" if named else _sniffed(file.uri, file.path))
    reason = None if named else left_out(kind, file.path)
    version = file.version
    if reason is None and not version:
        try:
            version = version_of_info(info_of(file.uri))
        except StorageError:
            version = UNREADABLE  # reading it gives the reason
    return RemoteFile(file.uri, file.path, version, kind, file.top, file.globbed), reason


def _sniffed(uri: str, path: str) -> Kind:
    def head() -> bytes:
        with storage_errors(uri), open_source(uri) as file:
            return file.read(HEAD_BYTES)

    try:
        return kind_of(asked_again(uri, head), path)
    except StorageError:
        return claimed_kind(path) or "image"  # its row says why it cannot be read


def _stored_files(spec: str, notebook: Notebook) -> Iterator[tuple[RemoteFile, bool]]:
    folder = RemotePath.of(spec)
    with storage_errors(public_url(spec)):
        if globbed := has_magic(folder.path):
            every = cast("dict[str, Info]", folder.filesystem.glob(folder.path, detail=True)).values()
            top = _fixed_part(folder.path)
        else:
            every = cast("dict[str, Info]", folder.filesystem.find(folder.path, detail=True)).values()
            top = folder.path
    named = globbed and _ends_with_suffix(folder.path)
    files = [info for info in every if info["type"] != "directory"]
    for info, uri in zip(files, folder.uris(str(info["name"]) for info in files), strict=True):
        path = str(info["name"])
        if any(map(is_hidden, path[len(top) :].strip("/").split("/"))):
            notebook.leave_out(HIDDEN)
        else:
            yield RemoteFile(uri, path, version_of_info(info), "other", top, globbed), named


def _web_files(spec: str, notebook: Notebook) -> Iterator[tuple[RemoteFile, bool]]:
    spec = whole_url(spec)
    top_url, path = spec.partition("?")[0], _path(spec)
    globbed = has_magic(path)
    top = _fixed_part(path) if globbed else path
    if globbed:
        parts = urlsplit(spec)
        top_url = f"{parts.scheme}://{parts.netloc}{'/'.join(parts.path.split('/')[: top.count('/') + 1]).rstrip('/')}/"
    fits = re.compile(glob_translate(path), re.DOTALL) if globbed else None
    named = globbed and _ends_with_suffix(path)
    for url in _web_walk(top_url, notebook):
        below = _path(url)
        if fits is None or fits.match(below):
            (uri,) = public_specs([url])
            yield RemoteFile(uri, below, "", "other", top.rstrip("/"), globbed), named


def _web_walk(top: str, notebook: Notebook) -> Iterator[str]:
    clock, waiting, seen = Clock(), [(top, 0)], {top}
    while waiting:
        folder, level = waiting.pop()
        for url in sorted(_links(folder)):
            clock.check()
            if url in seen:
                continue
            seen.add(url)
            if len(seen) > limits().pictures:
                raise ContentError(f"{public_url(top)} lists no end of files: {limits().advice('pictures')}")
            if is_hidden(_path(url).rstrip("/").rpartition("/")[2]):
                notebook.leave_out(HIDDEN)
            elif not url.endswith("/"):
                yield url
            elif level < _MAX_LEVELS:
                waiting.append((url, level + 1))


def _links(folder: str) -> set[str]:
    """The files and folders directly or indirectly below, that a web server's list of a folder names."""
    (uri,) = public_specs([folder])
    page = asked_again(uri, lambda: _page(uri))
    parser = _Links()
    parser.feed(page)
    found: set[str] = set()
    for written in parser.hrefs:
        url = urljoin(folder, written)
        inside = is_http(url) and origin(url) == origin(folder) and _path(url).startswith(_path(folder))
        # Links with a query sort the list in another way.
        if inside and "?" not in url and "#" not in url and _path(url) != _path(folder) and "/../" not in _path(url):
            found.add(url)
    return found


def _page(uri: str) -> str:
    with asked(uri) as answer:
        parts, left = list[bytes](), _MAX_PAGE_BYTES + 1
        while left and (data := answer.read(min(left, 2**20))):
            parts.append(data)
            left -= len(data)
    if not left:
        variable = SourceLimits.variable("pictures")
        raise ContentError(f"the list of {uri} is of more than {_MAX_PAGE_BYTES} bytes: give a list.csv ({variable})")
    return b"".join(parts).decode("utf-8", "replace")


class _Links(HTMLParser):
    """Collects what the links of a page lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


def _path(url: str) -> str:
    return unquote(urlsplit(url).path, errors="surrogateescape")


def _fixed_part(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[: next(index for index, part in enumerate(parts) if has_magic(part))])


def _ends_with_suffix(glob: str) -> bool:
    suffix = glob.rpartition("/")[2].rpartition(".")
    return bool(suffix[1]) and not has_magic(suffix[2])
