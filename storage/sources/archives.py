"""Tar archives, WebDataset's layout among them: `KEY.jpg`, with `KEY.json` beside it for the labels.

They are read as streams: members are never unpacked, and their names are labels, never paths. The first pass notes
where each picture begins, so that any process can read it alone (from a compressed archive by reading up to it).
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, BinaryIO, cast

from mien.storage.errors import StorageError
from mien.storage.root import storage_errors
from mien.storage.schemas import Status
from mien.storage.sources.access import open_source
from mien.storage.sources.files import SourceFile
from mien.storage.sources.item import MOST_BYTES, SourceItem, as_text, is_image
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.lists import labels_of_row

_MOST_JSON_BYTES = 2**20
_BLOCK = 512
_FORGET_EVERY = 1000
_COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
"""What opens them, by the first two bytes."""
_DAMAGED = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, OverflowError)


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


def archive_members(uri: str) -> list[Member]:
    """The pictures in an archive, in its order; last, where it is damaged, a failed one that says so.

    Raises:
        StorageError: it does not exist, or cannot be read.
    """
    with storage_errors(uri), _opened(uri) as stream:
        return _labelled(list(_entries(stream)))


_Json = tuple[str, dict[str, str] | None]
"""Key of a JSON file, and its labels; none if it is damaged."""


def _labelled(entries: list[Member | _Json]) -> list[Member]:
    labels = dict(entry for entry in entries if isinstance(entry, tuple))
    members = list[Member]()
    for member in (entry for entry in entries if isinstance(entry, Member)):
        found = labels.get(_key(member.name), {})
        if found is None and member.status == "ok":
            members.append(replace(member, status="failed", reason="the JSON file beside it is damaged"))
        else:
            members.append(replace(member, labels=found or {}))
    return members


def _key(name: str) -> str:
    """WebDataset's: the name up to the first dot of its last part."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _entries(stream: BinaryIO) -> Iterator[Member | _Json]:
    end = 0
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for count, info in enumerate(_forgetful(archive)):
                end = count + 1
                if entry := _entry(archive, info):
                    yield entry
            stream.seek(archive.offset)
            rest = stream.read(_BLOCK)
            if len(rest) < _BLOCK or rest.strip(b"\0"):
                raise tarfile.ReadError("there is no mark of its end")
    except _DAMAGED as error:
        why = f"the archive is cut off or damaged after {end} members: {' '.join(str(error).split())}"
        yield Member("", 0, 0, {}, "failed", why)


def _forgetful(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    last, members = -1, cast("list[Any]", vars(archive)["members"])  # which it keeps all of
    while (info := archive.next()) is not None:
        if archive.offset <= last:  # a negative size would never end
            raise tarfile.ReadError("a member ends before it begins")
        last = archive.offset
        if len(members) > _FORGET_EVERY:
            members.clear()
        yield info


def _entry(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member | _Json | None:
    name = as_text(info.name)
    if name.rpartition("/")[2].startswith("."):
        return None
    if name.lower().endswith(".json") and info.isreg():
        return _key(name), _json_labels(archive, info)
    if info.isdir() or not is_image(name):
        return None
    member = Member(name, info.offset_data, info.size, {})
    if not info.isreg() or info.issparse():
        return replace(member, status="rejected", reason="it is a link, a device or a sparse file in an archive")
    if info.size > MOST_BYTES:
        return replace(member, status="failed", reason=f"{info.size} bytes are more than {MOST_BYTES}")
    return member


def _json_labels(archive: tarfile.TarFile, info: tarfile.TarInfo) -> dict[str, str] | None:
    try:
        if info.size > _MOST_JSON_BYTES:
            return None
        content: Any = json.loads(cast("IO[bytes]", archive.extractfile(info)).read())
        return labels_of_row(content) if isinstance(content, dict) else None
    except (ValueError, RecursionError):
        return None


def archive_items(file: SourceFile, members: list[Member], rule: LabelRule) -> Iterator[SourceItem]:
    """The pictures of an archive. The identity is that of the JSON file, of the pattern, or of the first folder."""
    for member in members:
        inner, _, rest = member.name.removeprefix("./").partition("/")
        found = rule.of(member.name, inner if rest else None)
        labels = member.labels
        ruled_out = member.status == "ok" and found.status != "ok" and "identity" not in labels
        status, reason = (found.status, found.reason) if ruled_out else (member.status, member.reason)
        identity = found.identity if rule.identity != "source" else labels.get("identity") or found.identity
        yield SourceItem(
            file.uri,
            identity,
            labels.get("expression") or found.expression,
            file.version,
            member.name,
            member.offset_bytes,
            member.length_bytes,
            licence=labels.get("licence"),
            consent=labels.get("consent"),
            status=status,
            reason=reason,
        )


class ArchiveReader:
    """Reads members by their place; going forward through a compressed archive, each byte is read once."""

    def __init__(self, uri: str) -> None:
        self._context = _opened(uri)
        self._stream = self._context.__enter__()

    def read(self, item: SourceItem) -> bytes:
        """The bytes of a member.

        Raises:
            StorageError: the archive ends before it does.
        """
        offset, length = item.offset_bytes or 0, item.length_bytes or 0
        self._stream.seek(offset)
        data = self._stream.read(length)
        if len(data) < length:
            raise StorageError(f"{item.uri} ends within {item.member!r}: it is cut off")
        return data

    def close(self) -> None:
        """Closes the archive."""
        self._context.__exit__(None, None, None)


@contextmanager
def _opened(uri: str) -> Iterator[BinaryIO]:
    """The archive's own bytes, decompressed."""
    with open_source(uri) as file:
        magic = file.read(2)
        file.seek(0)
        if (how := _COMPRESSED.get(magic)) is None:
            yield file
            return
        with cast("Any", how)(file, "rb") as stream:
            yield stream
