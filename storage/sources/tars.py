"""Tar archives as streams: headers are read one by one in bounded memory, and nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mien.storage.errors import ContentError
from mien.storage.sources.forward import BLOCK_BYTES, ForwardFile
from mien.storage.sources.limits import Clock, limits

_BLOCK = 512
_MAX_NAME_BYTES = 2**20
"""Of a header with a long name."""
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_EXTENDED = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_ABOUT = (_LONG_NAME, _LONG_LINK, *_EXTENDED, tarfile.XGLTYPE)
"""Members that say something of the next one."""
_NO_FILES = (tarfile.DIRTYPE, b"D", b"V", b"M")
"""Folders, dumps of folders, names of volumes, continued files."""


@dataclass(frozen=True)
class TarEntry:
    """A member's header."""

    name: str
    offset_bytes: int
    size_bytes: int
    is_plain: bool
    """Not a link, a device or a sparse file."""


def tar_entries(stream: BinaryIO) -> Iterator[TarEntry]:
    """The members of an archive but for folders, in its order. Between two of them `stream` may be read and moved.

    Raises:
        tarfile.ReadError, OSError, EOFError, …: it is damaged or cut off.
        ContentError: it takes too long from one member to the next.
    """
    at, long_name, extended, clock = 0, "", dict[str, str](), Clock()
    while header := _header(stream, at, clock):
        body, size = at + _BLOCK, _size(header, extended)
        at = body + -(-size // _BLOCK) * _BLOCK
        if header.type in _ABOUT:
            if header.type == _LONG_NAME:
                long_name = _body(stream, body, size).rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif header.type in _EXTENDED:
                extended = _records(_body(stream, body, size))
            continue
        name = extended.get("path") or long_name or header.name
        sparse = header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in extended)
        long_name, extended = "", {}
        if header.type not in _NO_FILES:
            clock.restart()
            yield TarEntry(name, body, size, header.isreg() and not sparse)


def _header(stream: BinaryIO, at: int, clock: Clock) -> tarfile.TarInfo | None:
    _move(stream, at, clock)
    block = stream.read(_BLOCK)
    if block and not block.strip(b"\0"):
        return None  # the mark of the end
    if len(block) < _BLOCK:
        raise tarfile.ReadError("there is no mark of its end")
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise tarfile.ReadError(str(error)) from error


def _move(stream: BinaryIO, at: int, clock: Clock) -> None:
    """As seek, in steps where going on means reading: what is packed may be endless."""
    while isinstance(stream, ForwardFile) and (here := stream.tell()) < at:
        clock.check()
        if stream.seek(min(at, here + 16 * BLOCK_BYTES)) == here:
            return
    stream.seek(at)


def _size(header: tarfile.TarInfo, extended: dict[str, str]) -> int:
    size = extended.get("size", "")
    size_bytes = int(size) if size.isdecimal() else header.size
    if size_bytes < 0 or size_bytes > 2**62:
        raise tarfile.ReadError("a member ends before it begins")
    has_body = header.isreg() or header.type in (*_ABOUT, *_NO_FILES) or header.type not in tarfile.SUPPORTED_TYPES
    return size_bytes if has_body and header.type != tarfile.DIRTYPE else 0


def _body(stream: BinaryIO, at: int, size: int) -> bytes:
    if size > _MAX_NAME_BYTES:
        raise tarfile.ReadError(f"a name of {size} bytes")
    stream.seek(at)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("a name is cut off")
    return data


def _records(data: bytes) -> dict[str, str]:
    """What an extended header says: lines `{length} {key}={value}`."""
    found: dict[str, str] = {}
    while data:
        digits, blank, _ = data[:32].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        if not blank or length <= len(digits) + 1 or length > len(data):
            if not data.strip(b"\0"):
                break
            raise tarfile.ReadError("a damaged extended header")
        key, _, value = data[len(digits) + 1 : length].rstrip(b"\n").partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return found


def read_entry(stream: BinaryIO, entry: TarEntry, size: int) -> bytes:
    """The beginning of a member."""
    stream.seek(entry.offset_bytes)
    return stream.read(min(size, entry.size_bytes))


def read_tar_member(stream: BinaryIO, offset: int, length: int) -> bytes:
    """The bytes of a member.

    Raises:
        ContentError: the archive ends before it does.
    """
    if length > limits().photo_bytes:
        raise ContentError(f"it is of {length} bytes, more than {limits().photo_bytes}")
    stream.seek(offset)
    data = stream.read(length)
    if len(data) < length:
        raise ContentError("the archive ends within it: it is cut off")
    return data
