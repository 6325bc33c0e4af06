"""Archives of pictures, tar and ZIP. WebDataset's layout among them: `KEY.jpg`, with `KEY.json` beside it for labels.

Members are never unpacked to disk, and their names are labels, never paths. The first pass notes where each picture
begins, so that any process can read it alone (from a packed tar by reading up to it).
"""

from __future__ import annotations

import errno
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from mien.storage.errors import ContentError
from mien.storage.retries import is_transient
from mien.storage.root import storage_errors
from mien.storage.schemas import Status
from mien.storage.sources.access import open_anywhere, open_source
from mien.storage.sources.forward import PACKED, unpacked_file
from mien.storage.sources.item import HIDDEN, SourceItem, as_text, is_hidden, suffix_of
from mien.storage.sources.kinds import RAW_SUFFIXES, Kind, claimed_kind, is_tar_header, kind_of
from mien.storage.sources.labels import labels_of_row
from mien.storage.sources.limits import limits
from mien.storage.sources.notes import no_picture
from mien.storage.sources.tars import TarEntry, read_entry, read_tar_member, tar_entries
from mien.storage.sources.zips import ZipEntry, read_zip_member, zip_entries

_HEAD_BYTES = 512
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, struct.error, zlib.error, lzma.LZMAError),
    *(OSError, EOFError, ValueError, OverflowError),
)
_OF_DAMAGE = (errno.EINVAL, errno.EOVERFLOW, errno.EFBIG)
"""What the system says where a damaged archive sends a reader to positions that no file has."""


@dataclass(frozen=True)
class Member:
    """A picture in an archive, before anybody labels it."""

    name: str
    offset_bytes: int
    length_bytes: int
    labels: dict[str, str]
    """From the JSON file of the same key."""
    status: Status = "ok"
    reason: str | None = None


@dataclass(frozen=True)
class Contents:
    """What an archive holds."""

    members: list[Member]
    """The pictures in its order; last, where it is damaged, a failed one that says so."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Members that became no row, by reason."""


_Labels = dict[str, dict[str, str] | None]
"""Labels by the key of their JSON file; none where it is damaged."""


def archive_contents(uri: str) -> Contents:
    """What an archive holds.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    labels, left_out = _Labels(), Counter[str]()
    with storage_errors(uri), opened_archive(uri) as (stream, is_zip):
        members = list(_members(stream, is_zip, labels, left_out))
    return Contents([_labelled(member, labels) for member in members], dict(left_out))


def _labelled(member: Member, labels: _Labels) -> Member:
    found = labels.get(_key(member.name), {})
    if found is None and member.status == "ok":
        return replace(member, status="failed", reason="the JSON file beside it is damaged")
    return replace(member, labels=found or {})


def _key(name: str) -> str:
    """WebDataset's: the name up to the first dot of its last part."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _members(stream: BinaryIO, is_zip: bool, labels: _Labels, left_out: Counter[str]) -> Iterator[Member]:
    count, most = 0, limits().members
    try:
        for entry in zip_entries(stream) if is_zip else tar_entries(stream):
            count += 1
            if count > most:
                raise ContentError(f"it has more than {most} members: {limits().advice('members')}")
            name = as_text(entry.name if "/" in entry.name else entry.name.replace("\\", "/"))
            if any(is_hidden(part) for part in name.split("/") if part not in (".", "..")):
                left_out[HIDDEN] += 1
            elif suffix_of(name) == ".json" and _is_readable(entry):
                labels[_key(name)] = _json_labels(stream, entry)
            elif member := _member(stream, entry, name, left_out):
                yield member
    except ContentError as error:
        yield Member("", 0, 0, {}, "failed", str(error))
    except _DAMAGED as error:
        if is_transient(error) or getattr(error, "errno", None) not in (None, *_OF_DAMAGE):
            raise  # the disk's fault or the network's, not the archive's
        why = f"the archive is cut off or damaged after {count} members: {' '.join(str(error).split())}"
        yield Member("", 0, 0, {}, "failed", why)


def _is_readable(entry: TarEntry | ZipEntry) -> bool:
    return entry.is_plain if isinstance(entry, TarEntry) else entry.refused is None


def _member(stream: BinaryIO, entry: TarEntry | ZipEntry, name: str, left_out: Counter[str]) -> Member | None:
    kind = _kind(stream, entry, name)
    member = Member(name, entry.offset_bytes, entry.size_bytes, {})
    if suffix_of(name) in RAW_SUFFIXES:
        return replace(member, status="rejected", reason=raw_reason(name))
    if kind == "archive":
        left_out[f"an archive within an archive ({suffix_of(name) or 'no suffix'}): unpack the outer one"] += 1
        return None
    if kind not in ("image", "video"):
        left_out[no_picture(name)] += 1
        return None
    if isinstance(entry, ZipEntry) and entry.refused is not None:
        return replace(member, status="rejected", reason=entry.refused)
    if isinstance(entry, TarEntry) and not entry.is_plain:
        return replace(member, status="rejected", reason="it is a link, a device or a sparse file in an archive")
    if kind == "video":
        return replace(member, status="rejected", reason="a video in an archive: unpack it, and give its folder")
    if entry.size_bytes > limits().photo_bytes:
        reason = (
            f"it is of {entry.size_bytes} bytes, more than {limits().photo_bytes}: {limits().advice('photo_bytes')}"
        )
        return replace(member, status="failed", reason=reason)
    return member


def raw_reason(name: str) -> str:
    """Why a camera's own format is not read."""
    return f"a raw camera file ({suffix_of(name)}): export it as JPEG or TIFF"


def _kind(stream: BinaryIO, entry: TarEntry | ZipEntry, name: str) -> Kind:
    """By the first bytes of a tar's member; in a ZIP these lie elsewhere: only where its name tells nothing."""
    claimed = claimed_kind(name)
    if not _is_readable(entry):
        return claimed or "other"
    if isinstance(entry, TarEntry):
        return kind_of(read_entry(stream, entry, _HEAD_BYTES), name)
    if claimed in ("image", "video"):
        return claimed
    try:
        return kind_of(read_zip_member(stream, entry.offset_bytes, entry.size_bytes, _HEAD_BYTES), name)
    except ContentError:
        return claimed or "other"


def _json_labels(stream: BinaryIO, entry: TarEntry | ZipEntry) -> dict[str, str] | None:
    size = entry.size_bytes
    if size > limits().label_bytes:
        return None
    try:
        if isinstance(entry, TarEntry):
            data = read_tar_member(stream, entry.offset_bytes, size)
        else:
            data = read_zip_member(stream, entry.offset_bytes, size)
        content: Any = json.loads(data)
    except (ValueError, RecursionError, ContentError):
        return None
    if not isinstance(content, dict):
        return None
    return labels_of_row(cast("dict[str, Any]", content))


class ArchiveReader:
    """Reads members by where they begin; going forward through a packed archive, each byte is read once."""

    def __init__(self, uri: str) -> None:
        self._context = opened_archive(uri)
        self._stream, self._is_zip = self._context.__enter__()

    def read(self, item: SourceItem) -> bytes:
        """The bytes of a member.

        Raises:
            ContentError: they are damaged, or the archive ends before they do.
        """
        offset, length = item.offset_bytes or 0, item.length_bytes or 0
        try:
            return (read_zip_member if self._is_zip else read_tar_member)(self._stream, offset, length)
        except ContentError as error:
            raise ContentError(f"{item.member!r} in {item.uri}: {error}") from error
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            raise ContentError(f"{item.uri} is damaged before {item.member!r}: {error}") from error

    def close(self) -> None:
        """Closes the archive."""
        self._context.__exit__(None, None, None)


@contextmanager
def opened_archive(uri: str) -> Iterator[tuple[BinaryIO, bool]]:
    """The archive's own bytes, a packed tar's unpacked; whether it is a ZIP."""
    with open_source(uri) as file:
        head = file.read(512)
        magic = head[:2]
        file.seek(0)
        # A ZIP that unpacks itself begins with a program.
        if magic == b"PK" or (suffix_of(uri) == ".zip" and magic not in PACKED and not is_tar_header(head)):
            with open_anywhere(uri) as seekable:
                yield seekable, True
        elif magic in PACKED:
            with unpacked_file(file, magic) as stream:
                yield cast("BinaryIO", stream), False
        else:
            yield file, False
