"""Seals of Parquet files: every byte of a shard is covered by a SHA-256 that a reader compares before it uses the byte.

A flipped bit on a disk changes values without a word: Parquet's own page checksums cover neither page headers nor the
footer. So the footer of a shard holds the SHA-256 of each column chunk, and the SHA-256 of the footer itself, taken
with its own digits as zeros. The latter is the seal: it covers the whole file, and it is known from the footer alone.

    "PAR1" │ column chunks, without a gap │ footer: … mien.chunks = a SHA-256 each, mien.seal = SHA-256 │ length "PAR1"
"""

from __future__ import annotations

import hashlib
import io
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow.parquet as pq

SEAL, CHUNKS = b"mien.seal", b"mien.chunks"
"""Keys of the file's metadata."""

_MAGIC = b"PAR1"
_DIGITS = 64
_TAIL = len(_MAGIC) + 4
_FIRST_READ = 64 * 1024
"""Bytes at the end of a file that are read first: mostly the whole footer, so that an object store is asked once."""


class SealError(ValueError):
    """The bytes are not the ones that were sealed."""


def unsealed_metadata(chunks: int) -> dict[bytes, bytes]:
    """What the metadata of a file needs before it is written; `sealed` fills it in. `chunks`: columns × row groups."""
    return {CHUNKS: b"0" * (_DIGITS * chunks), SEAL: b"0" * _DIGITS}


def sealed(file: bytes) -> bytes:
    """A Parquet file whose metadata has `unsealed_metadata`, with its seal."""
    data = bytearray(file)
    start = _footer_start(data)
    digests = b"".join(_digest(data[first:last]) for first, last in _chunk_ranges(pq.ParquetFile(io.BytesIO(file))))
    at = start + _value_at(data[start:-_TAIL], CHUNKS, len(digests))
    data[at : at + len(digests)] = digests
    at = start + _value_at(data[start:-_TAIL], SEAL, _DIGITS)
    data[at : at + _DIGITS] = _digest(data[start:-_TAIL])
    return bytes(data)


def _footer_start(data: bytes | bytearray) -> int:
    (length,) = struct.unpack("<I", data[-_TAIL : -len(_MAGIC)])
    return len(data) - _TAIL - length


def _value_at(footer: bytes | bytearray, key: bytes, length: int) -> int:
    """Where the value of a key begins: Thrift's compact protocol has the value's field and length between."""
    at = footer.find(key)
    begin = footer.find(b"0" * length, at + len(key), at + len(key) + 8 + length) if at >= 0 else -1
    if begin < 0:
        raise SealError("there is no room for a seal")
    return begin


def _digest(data: bytes | bytearray) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _chunk_ranges(file: pq.ParquetFile) -> Iterator[tuple[int, int]]:
    metadata = file.metadata
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if not chunk.total_compressed_size:  # without rows there may be no page
                yield 0, 0
                continue
            first = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
            yield first, first + chunk.total_compressed_size


class SealedFile(io.RawIOBase):
    """A sealed Parquet file to read from: nothing that was not compared is given out.

    The footer is compared at once, a column chunk when a byte of it is asked for.

    Raises:
        SealError: bytes are not the ones that were sealed, some are missing, or the file has no seal.
    """

    def __init__(self, binary: BinaryIO) -> None:
        super().__init__()
        self._binary = binary
        self._size = binary.seek(0, io.SEEK_END)
        self._position = 0
        self._footer, self.seal = self._read_footer()
        self._ranges, self._digests = self._sealed_chunks()
        self._starts = [first for first, _ in self._ranges]
        self._chunks: dict[int, bytes] = {}

    def _read_footer(self) -> tuple[bytes, str]:
        """Everything from the footer on, and its seal."""
        tail = self._raw(max(0, self._size - _FIRST_READ), self._size)
        if len(tail) < _TAIL or tail[-len(_MAGIC) :] != _MAGIC:
            raise SealError("the file has no end")
        length = len(tail) - _footer_start(tail)
        if length > self._size - len(_MAGIC):
            raise SealError("the footer is longer than the file")
        footer = (tail if length <= len(tail) else self._raw(self._size - length, self._size))[-length:]
        return footer, _checked_seal(footer[:-_TAIL])

    def _sealed_chunks(self) -> tuple[list[tuple[int, int]], list[bytes]]:
        footer = pq.ParquetFile(io.BytesIO(_MAGIC + self._footer))
        self._metadata = footer.metadata
        ranges = list(_chunk_ranges(footer))
        value = (footer.metadata.metadata or {}).get(CHUNKS, b"")
        digests = [value[at : at + _DIGITS] for at in range(0, len(value), _DIGITS)]
        if len(digests) != len(ranges):
            raise SealError("the seal does not cover the whole file")
        filled = [number for number, (first, last) in enumerate(ranges) if last > first]
        ranges, digests = [ranges[number] for number in filled], [digests[number] for number in filled]
        ends = [len(_MAGIC), *(last for _, last in ranges)]
        if [first for first, _ in ranges] != ends[:-1]:
            raise SealError("the seal does not cover the whole file")
        if ends[-1] != self._size - len(self._footer) or self._raw(0, len(_MAGIC)) != _MAGIC:
            raise SealError("the file is not as long as it was")
        return ranges, digests

    def parquet(self) -> pq.ParquetFile:
        """The file as Parquet, whose footer is known: Arrow would read the last 64 kB for it, and so whole columns."""
        return pq.ParquetFile(self, metadata=self._metadata)

    def check(self) -> None:
        """Compares every byte of the file."""
        for number in range(len(self._ranges)):
            self._chunk(number)
            self._chunks.clear()

    def _chunk(self, number: int) -> bytes:
        if number not in self._chunks:
            data = self._raw(*self._ranges[number])
            if _digest(data) != self._digests[number]:
                raise SealError(f"column chunk {number} is not as it was written")
            self._chunks[number] = data
        return self._chunks[number]

    def _raw(self, first: int, last: int) -> bytes:
        self._binary.seek(first)
        data = self._binary.read(last - first)
        if len(data) != last - first:
            raise SealError("the file is not as long as it was")
        return data

    def _part(self, position: int) -> tuple[int, bytes]:
        """Where the part that holds this position begins, and its bytes."""
        footer = self._size - len(self._footer)
        if position >= footer:
            return footer, self._footer
        if position < len(_MAGIC):
            return 0, _MAGIC
        number = bisect_right(self._starts, position) - 1
        return self._starts[number], self._chunk(number)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next bytes, compared."""
        end = self._size if size < 0 else min(self._size, self._position + size)
        parts: list[bytes] = []
        while self._position < end:
            begin, data = self._part(self._position)
            some = data[self._position - begin : end - begin]
            parts.append(some)
            self._position += len(some)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Closes the file below, too."""
        self._chunks = {}
        self._binary.close()
        super().close()


def _checked_seal(footer: bytes) -> str:
    at = footer.find(SEAL)
    # The length of the value is written between: at most a few bytes.
    value = next(
        (footer[i : i + _DIGITS] for i in range(at + len(SEAL), at + len(SEAL) + 8) if _is_hex(footer, i)), b""
    )
    if at < 0 or not value:
        raise SealError("the file has no seal")
    begin = footer.index(value, at)
    if _digest(footer[:begin] + b"0" * _DIGITS + footer[begin + _DIGITS :]) != value:
        raise SealError("the footer is not as it was written")
    return value.decode()


def _is_hex(data: bytes, at: int) -> bool:
    value = data[at : at + _DIGITS]
    return len(value) == _DIGITS and set(value) <= set(b"0123456789abcdef")
