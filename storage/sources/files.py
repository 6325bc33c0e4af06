"""Folders, globs and single files: which files there are, and what their places tell of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import has_magic
from pathlib import PurePosixPath
from typing import cast

from fsspec.utils import glob_translate

from mien.storage.root import storage_errors
from mien.storage.sources.access import Info, RemotePlace, remote_version
from mien.storage.sources.item import ARCHIVE_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES, as_text, is_video, suffix_of
from mien.storage.sources.local import FoundFile, is_local, local_path, local_uri, version_of, walk
from mien.storage.sources.samples import SCHEME, sample_files


@dataclass(frozen=True)
class SourceFile:
    """A file that was found: a picture, or one that holds pictures."""

    uri: str
    version: str
    below: str
    """Its path below what the user named, with `/`; of a file named by itself or by a glob, its whole path."""
    folder: str | None
    """The folder whose name stands for the identity; null if there is none."""
    error: str | None = None
    """Why a folder could not be listed."""


def files_of(spec: str) -> Iterator[SourceFile]:
    """The files that a spec names.

    - a folder: the photos, videos and archives below it, but hidden ones;
    - a file, whatever its suffix;
    - a glob: the same kinds as in a folder, or any suffix that the glob itself ends with;
    - `sample:…`.

    Raises:
        StorageError: it does not exist, or cannot be listed.
    """
    if spec.startswith(SCHEME):
        return _sample_files(spec)
    return _local_files(local_path(spec), spec) if is_local(spec) else _remote_files(RemotePlace.of(spec), spec)


_KINDS = IMAGE_SUFFIXES | VIDEO_SUFFIXES | ARCHIVE_SUFFIXES


def _in_folders(name: str) -> bool:
    return suffix_of(name) in _KINDS


def _sample_files(spec: str) -> Iterator[SourceFile]:
    wanted = spec.rstrip("/")
    for uri, path in sample_files(wanted.removeprefix(SCHEME).partition("/")[0]).items():
        if uri == wanted or uri.startswith(f"{wanted}/"):
            # Of the package's files only the size is the same on every machine.
            yield SourceFile(uri, str(path.stat().st_size), uri.removeprefix(SCHEME), uri.split("/")[1])


def _local_files(path: str, spec: str) -> Iterator[SourceFile]:
    with storage_errors(spec):
        try:
            status = os.stat(path)
        except OSError as error:
            if not has_magic(path) or not isinstance(error, FileNotFoundError):
                raise
            yield from _local_glob(path)
            return
    if os.path.isdir(path):
        for found in walk(path, _in_folders):
            yield _below(local_uri(found.path), found, path, found.path)
    else:
        yield _alone(local_uri(path), version_of(status), path)


def _local_glob(path: str) -> Iterator[SourceFile]:
    parts = path.split("/")
    fixed = next(place for place, part in enumerate(parts) if has_magic(part))
    levels = None if "**" in path else len(parts) - fixed - 1
    regex, wanted = re.compile(glob_translate(path), re.DOTALL), _by_glob(path)
    for found in walk("/".join(parts[:fixed]) or "/", wanted, levels):
        if regex.match(found.path) and found.error is None:
            yield _alone(local_uri(found.path), found.version, found.path, globbed=has_magic("/".join(parts[:-1])))


def _by_glob(glob: str) -> Callable[[str], bool]:
    """Whether a glob means a file, by the file's suffix."""
    suffix = PurePosixPath(glob).suffix
    return (lambda _name: True) if suffix and not has_magic(suffix) else _in_folders


def _remote_files(place: RemotePlace, spec: str) -> Iterator[SourceFile]:
    with storage_errors(spec):
        # Not isdir and isfile, which take a refused access for a missing file.
        info = _info(place, spec)
        if info is None:
            found = cast("dict[str, Info]", place.filesystem.glob(place.path, detail=True))
            wanted = _by_glob(place.path)
            infos = [i for path, i in found.items() if i["type"] != "directory" and wanted(path)]
            for each in place.with_stamps(infos):
                path = str(each["name"])
                yield _alone(place.uri(path), remote_version(each), path, globbed=True)
        elif info["type"] == "directory":
            every = cast("dict[str, Info]", place.filesystem.find(place.path, detail=True)).values()
            for each in place.with_stamps([i for i in every if _in_folders(str(i["name"]))]):
                path = str(each["name"])
                file = _below(place.uri(path), FoundFile(path, remote_version(each)), place.path, path)
                if not any(part.startswith(".") for part in file.below.split("/")):
                    yield file
        else:
            yield _alone(place.uri(place.path), remote_version(info), place.path)


def _info(place: RemotePlace, spec: str) -> Info | None:
    """What the filesystem tells of the path; none for a glob."""
    if "http" in place.filesystem.protocol and spec.endswith("/"):
        return {"type": "directory"}  # to HTTP every address is a file
    try:
        return cast("Info", place.filesystem.info(place.path))
    except FileNotFoundError:
        if not has_magic(place.path):
            raise
        return None


def _below(uri: str, found: FoundFile, top: str, path: str) -> SourceFile:
    below = path[len(top) :].lstrip("/")
    inner, _, rest = below.partition("/")
    folder = inner if rest else PurePosixPath(path).stem if is_video(path) else top.rpartition("/")[2]
    return SourceFile(uri, found.version, below, as_text(folder) or None, found.error)


def _alone(uri: str, version: str, path: str, globbed: bool = False) -> SourceFile:
    folder = PurePosixPath(path).stem if is_video(path) and not globbed else PurePosixPath(path).parent.name
    return SourceFile(uri, version, path.lstrip("/"), as_text(folder) or None)
