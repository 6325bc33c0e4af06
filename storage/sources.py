"""Sources: the photos that a user points at, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any, TypeAlias, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from storage.errors import StorageError
from storage.roots import open_url, storage_errors
from storage.samples import SCHEME, sample_files, sample_path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"})

_Infos: TypeAlias = dict[str, dict[str, Any]]
"""What fsspec tells of files, by path."""

_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
"""What filesystems call the mark that changes with a file's content, the surest first."""


@dataclass(frozen=True)
class SourceItem:
    """A photo that was found, not yet read."""

    uri: str
    """Absolute path, fsspec URL, or `sample:…`; `read_source` takes it."""
    identity: str | None
    """Who is shown, by the folder it lies in."""
    expression: str | None
    """Label of the expression; folders do not tell it."""
    version: str
    """`{size}-{time or ETag}`: another one means that the file may have changed."""


def list_images(specs: Sequence[str]) -> list[SourceItem]:
    """The photos that the specs name, sorted by URI, each once (as the first spec that names it has it).

    A spec is one of

    - a folder: all image files below it, but hidden ones. The identity is the first folder below the given one; for
      files directly in it, its own name;
    - a file, whatever its suffix, or a glob such as `photos/*/happy*.jpg` (image files, or any suffix that the glob
      itself ends with). The identity is the name of the folder that the file lies in;
    - `sample:orl`.

    Folders, files and globs may be paths or any fsspec URL.

    Raises:
        StorageError: a spec names nothing, or cannot be listed.
    """
    items: dict[str, SourceItem] = {}
    for spec in specs:
        found = list(_sample_items(spec) if spec.startswith(SCHEME) else _listed_items(spec))
        if not found:
            raise StorageError(f"{spec} names no image: give a folder with {_suffixes()} files in it, a file or a glob")
        for item in found:
            items.setdefault(item.uri, item)
    return [items[uri] for uri in sorted(items)]


def _suffixes() -> str:
    return "/".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))


def _sample_items(spec: str) -> Iterator[SourceItem]:
    wanted = spec.rstrip("/")
    files = sample_files(wanted.removeprefix(SCHEME).partition("/")[0])
    for uri, path in files.items():
        if uri == wanted or uri.startswith(f"{wanted}/"):
            # Of the package's files only the size is the same on every machine.
            yield SourceItem(uri, uri.split("/")[1], None, str(path.stat().st_size))


@dataclass(frozen=True)
class _Place:
    """Where a spec leads."""

    filesystem: fsspec.AbstractFileSystem
    path: str
    prefix: str
    """What makes a URI of a path on the filesystem again: protocol, and host if there is one."""

    @classmethod
    def of(cls, spec: str) -> _Place:
        filesystem, path = open_url(spec)
        path = path.rstrip("/") or path
        # Cut from the spec, since a filesystem may not tell its host.
        prefix = spec.rstrip("/").removesuffix(path.lstrip("/")) if "://" in spec else ""
        return cls(filesystem, path, prefix)

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, LocalFileSystem)

    def uri(self, path: str) -> str:
        return path if self.is_local else self.prefix + path.lstrip("/")


def _listed_items(spec: str) -> Iterator[SourceItem]:
    place = _Place.of(spec)
    with storage_errors(spec):
        try:
            # Not isdir and isfile, which take a refused access for a missing file.
            info: dict[str, Any] = place.filesystem.info(place.path)
        except FileNotFoundError:
            if not has_magic(place.path):
                raise
            yield from _glob_items(place)
            return
        if info["type"] == "directory":
            yield from _folder_items(place)
        else:
            yield _item(place, info, _parent(place.path))


def _folder_items(place: _Place) -> Iterator[SourceItem]:
    for info in _files_below(place):
        below = PurePosixPath(str(info["name"])[len(place.path) :].lstrip("/"))
        hidden = any(part.startswith(".") for part in below.parts)
        if _is_image(below.name) and not hidden:
            inner = below.parts[0] if len(below.parts) > 1 else PurePosixPath(place.path).name
            yield _item(place, info, inner or None)


def _files_below(place: _Place) -> Iterator[dict[str, Any]]:
    if not place.is_local:
        yield from cast("_Infos", place.filesystem.find(place.path, detail=True)).values()
        return
    # fsspec does not follow links to folders, of which data sets are often put together.
    seen: set[str] = set()
    for folder, folders, files in os.walk(place.path, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()  # a link back up would never end
            continue
        seen.add(real)
        yield from ({"name": f"{folder.rstrip('/')}/{file}"} for file in files)


def _glob_items(place: _Place) -> Iterator[SourceItem]:
    suffix = PurePosixPath(place.path).suffix
    any_suffix = bool(suffix) and not has_magic(suffix)
    for path, info in cast("_Infos", place.filesystem.glob(place.path, detail=True)).items():
        if info["type"] != "directory" and (any_suffix or _is_image(path)):
            yield _item(place, info, _parent(path))


def _is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def _parent(path: str) -> str | None:
    return PurePosixPath(path).parent.name or None


def _item(place: _Place, info: dict[str, Any], identity: str | None) -> SourceItem:
    path = str(info["name"])
    if place.is_local:
        return SourceItem(path, identity, None, _local_version(path))
    stamp = next((info[name] for name in _STAMPS if info.get(name)), "")
    return SourceItem(place.uri(path), identity, None, f"{info.get('size')}-{stamp}".replace('"', ""))


def _local_version(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "unreadable"  # a dangling link: it stays in the listing, and reading it gives the reason
    return f"{status.st_size}-{status.st_mtime_ns}"


def read_source(uri: str) -> bytes:
    """The bytes of a source.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    if uri.startswith(SCHEME):
        return sample_path(uri).read_bytes()
    filesystem, path = open_url(uri)
    with storage_errors(uri):
        return cast("bytes", filesystem.cat_file(path))


def read_text(uri: str) -> str:
    """The text of a source, UTF-8 with or without the mark that spreadsheets begin it with.

    Raises:
        StorageError: as `read_source`, or it is no UTF-8.
    """
    try:
        return read_source(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"{uri} is no UTF-8 text: save it as UTF-8") from error
