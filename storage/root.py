"""A root: the folder, bucket prefix or other fsspec URL under which all tables lie.

Everything that touches a filesystem goes through here, so that a local folder and an object store behave alike:
a file appears whole or not at all, listings are never stale, and errors say what to do.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from mien.storage.errors import MissingError, StorageError, TransientError
from mien.storage.retries import is_transient
from mien.storage.whole_files import create_file, replace_file

_REFUSED = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}
"""botocore's names for missing credentials; compared by name, since botocore is loaded for S3 only."""


_RUN_TEMPLATES = ("reference", "kerchunk")
"""Protocols of fsspec whose files hold templates (Jinja), which are run."""


@contextmanager
def storage_errors(url: str) -> Generator[None, None, None]:
    """Turns whatever a filesystem raises inside the block into a StorageError about `url`.

    It is a MissingError where there is no file, a TransientError where asking again may help. fsspec's implementations
    raise their libraries' own errors, which have no base class in common.
    """
    url = printable(url)
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError as error:
        if _is_missing_bucket(error):
            raise StorageError(f"the bucket of {url} does not exist: create it or correct the URL") from error
        raise MissingError(f"{url} does not exist: correct the path or URL") from error
    except Exception as error:
        raise (TransientError if is_transient(error) else StorageError)(_advice(error, url)) from error


def printable(text: str) -> str:
    """The text on one line: what cannot be printed, line breaks first of all, is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _advice(error: Exception, url: str) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PermissionError) and "://" not in url:
        return f"access to {url} was refused: check the permissions of the file and its folder"
    # S3 answers a question about a file (HEAD) with a bare 400 where the credentials have expired.
    bare = isinstance(error, OSError) and "Bad Request" in text and "://" in url
    if isinstance(error, PermissionError) or type(error).__name__ in _REFUSED or bare:
        return (
            f"access to {url} was refused ({text}): check the credentials and their rights "
            "(for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
        )
    if isinstance(error, ValueError) and "not known" in text:
        return f"{url} has an unknown protocol: write a folder or an fsspec URL such as s3://bucket/prefix"
    if isinstance(error, ImportError):
        return f"{url} needs a package that is not installed: {text}"
    return f"{url} cannot be read or written ({type(error).__name__}: {text}): check that it is reachable and has space"


def s3_code(error: BaseException) -> str:
    """S3's own code of an error that s3fs has translated; empty for any other error."""
    response: Any = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _is_missing_bucket(error: BaseException) -> bool:
    return isinstance(error, FileNotFoundError) and s3_code(error) == "NoSuchBucket"


def open_url(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Filesystem of a path or fsspec URL, and the path on it (absolute for a local one).

    Raises:
        StorageError: the protocol is unknown, needs a package that is not installed, or is refused: fsspec's chains and
            reference files name further filesystems and templates, which are run.
    """
    if "::" in url or url.partition("://")[0].lower() in _RUN_TEMPLATES:
        raise StorageError(f"{printable(url)} is a chain of filesystems or a reference file: name the file or folder")
    with storage_errors(url):
        # Other processes write to the same root: a cached listing would hide what they did.
        filesystem, path = url_to_fs(url, use_listings_cache=False)
    return filesystem, str(path)


def _normalised(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url.rstrip("/") or url[:1]
    return f"{scheme}://{rest.rstrip('/') or rest[:1]}"


_LISTINGS = 1000
"""Of a folder in which files are deleted meanwhile, before that is an error."""


@dataclass(frozen=True)
class FileInfo:
    """A file as a listing tells of it."""

    name: str
    bytes: int
    written: datetime


class Root:
    """Any fsspec URL under which tables lie: `./data`, `s3://bucket/prefix`, `memory://name`.

    Two roots of one URL are equal; a pickled root is its URL, so it can be sent to worker processes. All paths are
    relative to the root, with `/`; "" is the root itself. Every method raises StorageError where the storage fails.
    """

    url: str
    """As given, without a trailing slash. A relative path is taken from the working directory at construction."""

    filesystem: fsspec.AbstractFileSystem
    """Where the root lies."""

    def __init__(self, url: str) -> None:
        if not url.strip():
            raise StorageError("the root is empty: give a folder or an fsspec URL such as s3://bucket/prefix")
        self.url = _normalised(url)
        self.filesystem, base = open_url(self.url)
        self._base = base.rstrip("/")

    def __reduce__(self) -> tuple[type[Root], tuple[str]]:
        return (Root, (self.url,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Root) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __repr__(self) -> str:
        return f"Root({self.url!r})"

    def full_path(self, path: str) -> str:
        """The path as the filesystem takes it.

        Raises:
            StorageError: the path leads out of the root.
        """
        if ".." in path.split("/") or path.startswith("/"):
            raise StorageError(f"{path} leads out of {self.url}: give a path below it")
        return f"{self._base}/{path}" if path else self._base

    def uri(self, path: str) -> str:
        """The path as a user writes it."""
        return f"{self.url.rstrip('/')}/{path}" if path else self.url

    def local_path(self, path: str) -> Path | None:
        """Absolute path on this machine; None for a remote root."""
        if not isinstance(self.filesystem, LocalFileSystem):
            return None
        return Path(self.full_path(path) or "/")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        with storage_errors(self.uri(path)):
            return bool(self.filesystem.exists(self.full_path(path)))

    def open(self, path: str) -> BinaryIO:
        """A file to read from; on an object store, only what is read is fetched."""
        with storage_errors(self.uri(path)):
            return cast("BinaryIO", self.filesystem.open(self.full_path(path), "rb"))

    def read_bytes(self, path: str) -> bytes:
        """The content of a file."""
        with storage_errors(self.uri(path)):
            return cast("bytes", self.filesystem.cat_file(self.full_path(path)))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Writes a file, which appears whole or not at all; an existing one is replaced.

        On a local filesystem by a temporary file that takes the name at last, on an object store by one put.
        """
        with storage_errors(self.uri(path)):
            if (local := self.local_path(path)) is not None:
                replace_file(local, data)
            else:
                self.filesystem.pipe_file(self.full_path(path), data)

    def create_bytes(self, path: str, data: bytes) -> bool:
        """Writes a file unless there is one; whether it was written. Of several writers at once exactly one gets True.

        A local filesystem does so by linking a whole file to the name, S3 by a conditional put, memory in its process.
        A filesystem that has no such call is asked before the file is written: there two writers at the very same
        moment may both get True, and the later one's content stays.
        """
        with storage_errors(self.uri(path)):
            if (local := self.local_path(path)) is not None:
                return create_file(local, data)
            full = self.full_path(path)
            if not _can_create(self.filesystem):
                if self.filesystem.exists(full):
                    return False
                self.filesystem.pipe_file(full, data)
                return True
            try:
                self.filesystem.pipe_file(full, data, mode="create")
                return True
            except OSError as error:
                if isinstance(error, FileExistsError) or s3_code(error) == "PreconditionFailed":
                    return False
                raise

    def list(self, path: str) -> list[str]:
        """Sorted names of the files directly in a folder, without hidden ones; empty where there is no such folder."""
        names = [str(info["name"]).rsplit("/", 1)[-1] for info in self._listed(path) if info["type"] != "directory"]
        return sorted(name for name in names if name and not name.startswith("."))

    def files(self, path: str) -> list[FileInfo]:
        """The files directly in a folder, sorted by name, hidden ones included; empty where there is no such folder."""
        described = (self._described(path, info) for info in self._listed(path) if info["type"] != "directory")
        return sorted(filter(None, described), key=lambda file: file.name)

    def _described(self, folder: str, info: dict[str, Any]) -> FileInfo | None:
        """None of a file that is gone by now."""
        name = str(info["name"]).rsplit("/", 1)[-1]
        written = info.get("LastModified")  # S3 tells it with the listing, and each question would be a request
        try:
            written = written or self.modified(f"{folder}/{name}" if folder else name)
        except MissingError:
            return None
        return FileInfo(name, int(info["size"] or 0), written)

    def _listed(self, path: str) -> list[dict[str, Any]]:
        """What lies directly in a folder; nothing where there is no such folder.

        Local filesystems look at one file after the other, and fail at one that is deleted meanwhile. That must not
        look like a folder that is not there: `runs/` would be taken for empty while a job is at work.
        """
        for left in reversed(range(_LISTINGS)):
            try:
                with storage_errors(self.uri(path)):
                    return self.filesystem.ls(self.full_path(path), detail=True)
            except MissingError:
                local = self.local_path(path)
                if local is None or not os.path.isdir(local):
                    return []
                if not left:
                    raise
        raise AssertionError

    def folders(self, path: str) -> list[str]:
        """Sorted names of the folders directly in a folder; empty where there is no such folder."""
        found = (info for info in self._listed(path) if info["type"] == "directory")
        return sorted(str(info["name"]).rstrip("/").rsplit("/", 1)[-1] for info in found)

    def files_below(self, path: str = "") -> list[str]:
        """Sorted paths of all files below a folder, hidden ones too, relative to the root."""
        try:
            with storage_errors(self.uri(path)):
                if (local := self.local_path(path)) is not None:
                    return sorted(Path(name).relative_to(self._base or "/").as_posix() for name in _walked(local))
                found = cast("list[str]", self.filesystem.find(self.full_path(path)))
        except MissingError:
            return []
        base = f"{self._base}/"
        return sorted(name.removeprefix(base) for name in found if name.startswith(base))

    def modified(self, path: str) -> datetime:
        """When a file was last written."""
        with storage_errors(self.uri(path)):
            return self.filesystem.modified(self.full_path(path))

    def size(self, path: str) -> int:
        """Bytes of a file."""
        with storage_errors(self.uri(path)):
            return int(self.filesystem.info(self.full_path(path))["size"])

    def delete(self, path: str) -> None:
        """Deletes a file; one that is already gone is no error."""
        with suppress(MissingError), storage_errors(self.uri(path)):
            self.filesystem.rm_file(self.full_path(path))

    def delete_folder(self, path: str) -> None:
        """Deletes a folder with all that lies below; one that is already gone is no error."""
        if not path:
            raise StorageError(f"{self.url} itself is not deleted: give a folder below it")
        with suppress(MissingError), storage_errors(self.uri(path)):
            self.filesystem.rm(self.full_path(path), recursive=True)


def _walked(folder: Path) -> Iterator[str]:
    """All files below. fsspec would leave out a folder of which one file is deleted meanwhile."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, _, names in os.walk(folder, onerror=fail):
        yield from (os.path.join(parent, name) for name in names)


def _can_create(filesystem: Any) -> bool:
    """Whether writing takes a mode. Some filesystems swallow what they do not know, and would write over the file."""
    return "mode" in inspect.signature(filesystem.pipe_file).parameters
