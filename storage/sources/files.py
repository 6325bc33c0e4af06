"""Folders, globs and single files: which files there are, what they are, and what their paths tell of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import has_magic
from pathlib import PurePosixPath

from fsspec.utils import glob_translate

from mien.storage.errors import StorageError
from mien.storage.root import storage_errors
from mien.storage.sources.item import HIDDEN
from mien.storage.sources.kinds import HEAD_BYTES, Kind, claimed_kind, kind_of
from mien.storage.sources.local import FoundFile, is_local, local_path, local_uri, read_head, version_of, walk
from mien.storage.sources.notes import Notebook, left_out
from mien.storage.sources.policy import SourcePolicy, origin, real_path
from mien.storage.sources.remote_files import RemoteFile, remote_file, remote_files
from mien.storage.sources.samples import SCHEME, sample_files


@dataclass(frozen=True)
class SourceFile:
    """A file that was found: a picture, or one that holds or lists pictures."""

    uri: str
    version: str
    below: str
    """Its path below what the user named, with `/`; of a file named by itself or by a glob, its whole path."""
    folder: str | None
    """The folder whose name stands for the identity; null if there is none."""
    kind: Kind = "image"
    inside: bool = False
    """Whether `folder` lies below what the user named, rather than being its name."""
    error: str | None = None
    """Why a folder could not be listed."""
    outside: str | None = None
    """Why a link is not followed."""


def files_of(spec: str, policy: SourcePolicy, notebook: Notebook) -> Iterator[SourceFile]:
    """The files that a spec names: of a folder and of a glob those that are pictures, videos or archives.

    - a folder: what is below it, but hidden files;
    - a file, whatever it is;
    - a glob: as a folder, or whatever its files are if the glob ends with a suffix;
    - `sample:…`.

    What is left out is counted in the notebook.

    Raises:
        StorageError: it does not exist, or cannot be listed.
    """
    if spec.startswith(SCHEME):
        return _sample_files(spec)
    if is_local(spec):
        return _local_files(local_path(spec), spec, policy, notebook)
    if "::" in spec or spec.startswith(("zip://", "tar://")):
        last = spec.rpartition("::")[2] or "the archive"
        raise StorageError(f"{spec} is a chain of filesystems: give {last} itself, archives are read as they are")
    return _remote_files(spec, notebook)


def given_by(spec: str) -> list[str]:
    """What a spec lets data name: see `SourcePolicy.given`."""
    if spec.startswith(SCHEME):
        return []
    if not is_local(spec):
        return [origin(spec)]
    path = local_path(spec)
    if os.path.isdir(path):
        return [real_path(path)]
    if not os.path.exists(path) and has_magic(path):
        return [real_path(_fixed_part(path))]
    named = [real_path(path)]
    if kind_of_path(path) in ("list", "parquet", "text"):
        named.append(real_path(os.path.dirname(path)))
    return named


def _sample_files(spec: str) -> Iterator[SourceFile]:
    named = spec.rstrip("/")
    for uri, path in sample_files(named.removeprefix(SCHEME).partition("/")[0]).items():
        if uri == named or uri.startswith(f"{named}/"):
            # Of the package's files only the size is the same on every machine.
            yield SourceFile(uri, str(path.stat().st_size), uri.removeprefix(SCHEME), uri.split("/")[1], inside=True)


def _local_files(path: str, spec: str, policy: SourcePolicy, notebook: Notebook) -> Iterator[SourceFile]:
    with storage_errors(spec):
        try:
            status = os.stat(path)
        except OSError as error:
            if not has_magic(path) or not isinstance(error, FileNotFoundError):
                raise
            yield from _local_glob(path, policy, notebook)
            return
    if os.path.isdir(path):
        for found in walk(path, policy.refusal):
            yield from _found(found, path, False, notebook)
    else:
        parent, kind = PurePosixPath(path).parent.name, kind_of_path(path)
        folder = PurePosixPath(path).stem if kind == "video" else parent
        yield SourceFile(local_uri(path), version_of(status), path.lstrip("/"), folder or None, kind)


def _local_glob(path: str, policy: SourcePolicy, notebook: Notebook) -> Iterator[SourceFile]:
    top = _fixed_part(path)
    levels = None if "**" in path else path.count("/") - top.rstrip("/").count("/") - 1
    regex, named = re.compile(glob_translate(path), re.DOTALL), names_kind(path)
    for found in walk(top, policy.refusal, levels):
        if not found.hidden and found.error is None and regex.match(found.path):
            for file in _found(found, top, named, notebook):
                yield replace(file, below=found.path.lstrip("/"))


def _fixed_part(path: str) -> str:
    """The folder of a glob before its first part with a `*`, `?` or `[`."""
    parts = path.split("/")
    return "/".join(parts[: next(index for index, part in enumerate(parts) if has_magic(part))]) or "/"


def names_kind(glob: str) -> bool:
    """Whether a glob ends with a suffix of its own, and so means whatever is called so."""
    suffix = PurePosixPath(glob).suffix
    return bool(suffix) and not has_magic(suffix)


def _found(found: FoundFile, top: str, named: bool, notebook: Notebook) -> Iterator[SourceFile]:
    if found.hidden:
        notebook.leave_out(HIDDEN)
        return
    uri = local_uri(found.path)
    if found.error is not None or found.outside is not None:
        yield SourceFile(uri, found.version, "", None, error=found.error, outside=found.outside)
        return
    kind = kind_of_path(found.path)
    if not named and (reason := left_out(kind, found.path)) is not None:
        notebook.leave_out(reason)
        return
    yield SourceFile(uri, found.version, *below_folder(found.path, top, kind))


def below_folder(path: str, top: str, kind: Kind) -> tuple[str, str | None, Kind, bool]:
    """`below`, `folder`, `kind` and `inside` of a file below a folder that the user named.

    The first folder below it stands for the identity; of files directly in it, its own name, and of videos theirs.
    """
    below = path[len(top) :].lstrip("/")
    first, _, rest = below.partition("/")
    folder = first if rest else PurePosixPath(path).stem if kind == "video" else top.rstrip("/").rpartition("/")[2]
    return below, folder or None, kind, bool(rest)


def kind_of_path(path: str) -> Kind:
    """What a file of this machine is, by its content."""
    try:
        return kind_of(read_head(path, HEAD_BYTES), path)
    except OSError:
        # What cannot be read gets a row that says so, if it may be a picture at all.
        return claimed_kind(path) or ("image" if os.path.isfile(path) or os.path.islink(path) else "other")


def _remote_files(spec: str, notebook: Notebook) -> Iterator[SourceFile]:
    found = remote_file(spec)
    if found is not None:
        path = PurePosixPath(found.path)
        folder = path.stem if found.kind == "video" else path.parent.name
        yield SourceFile(found.uri, found.version, found.path.lstrip("/"), folder or None, found.kind)
        return
    for file in remote_files(spec, notebook):
        yield _source_file(file)


def _source_file(file: RemoteFile) -> SourceFile:
    below, folder, kind, inside = below_folder(file.path, file.top, file.kind)
    below = file.path.lstrip("/") if file.globbed else below
    return SourceFile(file.uri, file.version, below, folder, kind, inside)
