"""ZIP archives: their table of contents and single members, read in bounded memory. Nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mien.storage.errors import ContentError
from mien.storage.sources.limits import Clock, limits

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_LONGEST_COMMENT = 65_535
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_LINK = 0o120000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


@dataclass(frozen=True)
class ZipEntry:
    """A member, as the table of contents has it."""

    name: str
    offset_bytes: int
    """Of its header."""
    size_bytes: int
    """Unpacked."""
    refused: str | None = None
    """Why it cannot be read, if the table tells."""


def zip_entries(stream: BinaryIO) -> Iterator[ZipEntry]:
    """The members of an archive but for folders, in the order of its table.

    Raises:
        zipfile.BadZipFile, OSError, struct.error: it is damaged or cut off.
        ContentError: its table is larger than a limit allows.
    """
    at, size, before, clock = *_table(stream), Clock()
    end = at + size
    while at + _CENTRAL.size <= end:
        clock.check()
        stream.seek(at)
        fields = _CENTRAL.unpack(_exactly(stream, _CENTRAL.size))
        if fields[0] != b"PK\x01\x02":
            raise zipfile.BadZipFile("its table of contents is damaged")
        flags, method, sizes, lengths = fields[3], fields[4], fields[8:10], fields[10:13]
        name = _exactly(stream, lengths[0])
        extra = _exactly(stream, lengths[1])
        at += _CENTRAL.size + sum(lengths)
        packed, unpacked, offset = _wide(extra, (sizes[0], sizes[1], fields[16]))
        text = name.decode("utf-8" if flags & _UTF8 or _is_utf8(name) else "cp437", "surrogateescape")
        if not text.endswith(("/", "\\")):
            yield ZipEntry(text, offset + before, unpacked, _refused(flags, method, fields[15] >> 16, packed))


def _refused(flags: int, method: int, mode: int, packed: int) -> str | None:
    if flags & _ENCRYPTED:
        return "it is encrypted in its archive: unpack it first"
    if mode & 0o170000 == _LINK:
        return "it is a link in an archive"
    if method not in _METHODS:
        return f"it is packed by method {method}, which is not read: pack it by deflate"
    return None if packed >= 0 else "its size is damaged"


def _table(stream: BinaryIO) -> tuple[int, int, int]:
    """Where the table of contents lies, its size, and the bytes before the archive (a program that unpacks itself)."""
    length = stream.seek(0, 2)
    tail_at = max(0, length - _LONGEST_COMMENT - _END.size)
    stream.seek(tail_at)
    tail = stream.read(length - tail_at)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) < found + _END.size:
        raise zipfile.BadZipFile("its table of contents is missing: it is cut off")
    end_at = tail_at + found
    size, offset = _END.unpack(tail[found : found + _END.size])[5:7]
    if 0xFFFFFFFF in (size, offset) or _END.unpack(tail[found : found + _END.size])[4] == 0xFFFF:
        size, offset, end_at = _wide_table(stream, end_at, size, offset)
    if size > limits().footer_bytes:
        raise ContentError(f"its table of contents is of {size} bytes: {limits().advice('footer_bytes')}")
    before = end_at - size - offset
    if before < 0:
        raise zipfile.BadZipFile("its table of contents is damaged")
    return offset + before, size, before


def _wide_table(stream: BinaryIO, end_at: int, size: int, offset: int) -> tuple[int, int, int]:
    stream.seek(max(0, end_at - _LOCATOR64.size))
    mark, _, wide_at, _ = _LOCATOR64.unpack(_exactly(stream, _LOCATOR64.size))
    if mark != b"PK\x06\x07":
        return size, offset, end_at
    stream.seek(wide_at)
    fields = _END64.unpack(_exactly(stream, _END64.size))
    if fields[0] != b"PK\x06\x06":
        raise zipfile.BadZipFile("its table of contents is damaged")
    return fields[8], fields[9], wide_at


def _wide(extra: bytes, fields: tuple[int, int, int]) -> tuple[int, int, int]:
    """Packed size, size and offset, from the field for large archives where the usual ones are full."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1:
            wide = iter(struct.unpack(f"<{length // 8}Q", extra[4 : 4 + length // 8 * 8]))
            unpacked, packed, offset = (
                next(wide, value) if value == 0xFFFFFFFF else value for value in (fields[1], fields[0], fields[2])
            )
            return packed, unpacked, offset
        extra = extra[4 + length :]
    return fields


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise zipfile.BadZipFile("it is cut off")
    return data


def read_zip_member(stream: BinaryIO, offset: int, length: int, most: int | None = None) -> bytes:
    """The bytes of a member, or its first `most`.

    Raises:
        ContentError: it is damaged, cut off, or larger than it or a limit says.
    """
    if length > limits().photo_bytes:
        raise ContentError(f"it is of {length} bytes, more than {limits().photo_bytes}")
    try:
        stream.seek(offset)
        header = _LOCAL.unpack(_exactly(stream, _LOCAL.size))
        if header[0] != b"PK\x03\x04":
            raise zipfile.BadZipFile("its header is damaged")
        stream.seek(offset + _LOCAL.size + header[9] + header[10])
        unpacker = _unpacker(header[3], stream)
        target = length if most is None else min(most, length)
        data, rest = _unpacked(stream, unpacker, target)
        if len(data) < target:
            raise zipfile.BadZipFile("it ends before its length")
        if most is None and zlib.crc32(data) != _checksum(stream, header, rest, length):
            raise zipfile.BadZipFile("its checksum is wrong")
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, struct.error, ValueError) as error:
        raise ContentError(f"damaged in its archive: {error}") from error
    return data


def _unpacker(method: int, stream: BinaryIO) -> Any:
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor()
    if method == zipfile.ZIP_LZMA:
        _, size = struct.unpack("<HH", _exactly(stream, 4))
        properties = _exactly(stream, size)
        dictionary = int.from_bytes(properties[1:5], "little")
        if dictionary > limits().unpacker_bytes:
            raise zipfile.BadZipFile(f"it needs {dictionary} bytes to be unpacked")
        bits = properties[0]
        filters = {
            "id": lzma.FILTER_LZMA1,
            "dict_size": dictionary,
            "lc": bits % 9,
            "lp": bits // 9 % 5,
            "pb": bits // 45,
        }
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])
    if method != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"it is packed by method {method}")
    return None


def _unpacked(stream: BinaryIO, unpacker: Any, length: int) -> tuple[bytes, bytes]:
    """So many bytes, and what was read of the file behind them."""
    if unpacker is None:
        return stream.read(length), b""
    parts, left, packed, clock = list[bytes](), length, b"", Clock("photo_seconds")
    while left and not unpacker.eof:
        clock.check()
        packed = packed or stream.read(65_536)
        if not packed and getattr(unpacker, "needs_input", True):
            break
        data = unpacker.decompress(packed, left)
        packed = getattr(unpacker, "unconsumed_tail", b"")
        parts.append(data)
        left -= len(data)
    if not unpacker.eof and not left:  # the end of a packed stream may need a last step
        unpacker.decompress(packed or stream.read(64), 1)
    return b"".join(parts), unpacker.unused_data


def _checksum(stream: BinaryIO, header: tuple[Any, ...], rest: bytes, length: int) -> int:
    """The CRC-32 of a member: in its header, or behind its data where it was written in one go."""
    if not header[2] & _DESCRIPTOR:
        return header[6]
    behind = (rest + stream.read(8))[:8]
    if behind[:4] == b"PK\x07\x08":
        behind = behind[4:]
    return int.from_bytes(behind[:4], "little")
