"""How much memory a part of a Parquet file takes when it is read, known before anything is unpacked.

A page is the least that can be read at once, and its own header says how large it becomes: the file's table of contents
may say something else. Headers are structs in Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import ContentError
from mien.storage.sources.access import is_near
from mien.storage.sources.limits import MIB, Clock, SourceLimits, limits

_HEADER_BYTES = 65_536
_BATCH_BYTES = 64 * MIB
_MAX_BATCH_ROWS = 4096
_UNPACKED, _PACKED, _DATA, _DATA_V2 = 2, 3, 5, 8
"""Fields of a page header."""


def open_table(uri: str, binary: BinaryIO) -> pq.ParquetFile:
    """A Parquet file whose table of contents and number of rows are within the limits.

    Raises:
        ContentError: they are not.
    """
    length = binary.seek(0, 2)
    binary.seek(max(0, length - 8))
    footer = int.from_bytes(binary.read(4), "little")
    if footer > limits().footer_bytes and footer < length:
        raise ContentError(f"{uri} has a table of contents of {footer} bytes: {limits().advice('footer_bytes')}")
    binary.seek(0)
    table = pq.ParquetFile(binary, buffer_size=MIB)
    if table.metadata.num_rows > limits().table_rows:
        raise ContentError(f"{uri} has {table.metadata.num_rows} rows: {limits().advice('table_rows')}")
    return table


def text_once(binary: BinaryIO, table: pq.ParquetFile, columns: Sequence[str]) -> pq.ParquetFile:
    """The same file, of which those of the columns that are text give each different text once, as a dictionary."""
    schema = table.schema_arrow
    text = [name for name in columns if name in schema.names and _is_text(schema.field(name).type)]
    binary.seek(0)
    return pq.ParquetFile(binary, buffer_size=MIB, metadata=table.metadata, read_dictionary=text)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


@dataclass
class _Chunk:
    """One column in one row group."""

    largest_page_bytes: int
    values: int


def batch_rows(uri: str, binary: BinaryIO, table: pq.ParquetFile, group: int, columns: list[str]) -> int:
    """How many rows of these columns may be read at once, in bounded memory.

    A cell can be as large as the largest page, since repeated cells are stored once.

    Raises:
        ContentError: a page is larger than the limit, or lists are longer.
    """
    part, largest = table.metadata.row_group(group), 1
    for index in range(part.num_columns):
        chunk = part.column(index)
        path = chunk.path_in_schema
        if not any(path == column or path.startswith(f"{column}.") for column in columns):
            continue
        # Of a remote file each header would be a request: there the table of contents has to do.
        size = _walked(binary, chunk) if is_near(uri) else _Chunk(chunk.total_uncompressed_size, chunk.num_values)
        if size.largest_page_bytes > limits().page_bytes:
            raise ContentError(
                f"{uri} has {size.largest_page_bytes} bytes of the column {path} in one page, more than "
                f"{limits().page_bytes}: write it with smaller row groups, or set {SourceLimits.variable('page_bytes')}"
            )
        if size.values > part.num_rows + limits().list_values:
            raise ContentError(
                f"{uri} has {size.values} values in {part.num_rows} rows of the column {path}: lists of one are read"
            )
        largest = max(largest, size.largest_page_bytes)
    return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // largest))


def _walked(binary: BinaryIO, chunk: Any) -> _Chunk:
    """What the headers of the pages say."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end, size, clock = at + chunk.total_compressed_size, _Chunk(0, chunk.num_values), Clock()
    values = 0
    while at < end:
        clock.check()
        binary.seek(at)
        header = _Header(binary.read(_HEADER_BYTES))
        size.largest_page_bytes = max(size.largest_page_bytes, header.fields.get(_UNPACKED, 0))
        values += header.values
        at += header.length + max(0, header.fields.get(_PACKED, 0))
    size.values = max(size.values, values)
    return size


class _Header:
    """A page header."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.fields: dict[int, int] = {}
        self.values = 0
        try:
            self._read_struct(self._take_field)
        except IndexError as error:
            raise ContentError("a Parquet file with a damaged page") from error
        self.length = self._at

    def _take_field(self, field: int, kind: int) -> None:
        if kind in (4, 5, 6):
            self.fields[field] = self._signed()
        elif kind == 12 and field in (_DATA, _DATA_V2):
            self._read_struct(self._take_count)
        else:
            self._skip(kind)

    def _take_count(self, field: int, kind: int) -> None:
        if field == 1 and kind == 5:
            self.values += self._signed()
        else:
            self._skip(kind)

    def _read_struct(self, take: Callable[[int, int], None]) -> None:
        field = 0
        while byte := self._byte():
            delta, kind = byte >> 4, byte & 15
            field = field + delta if delta else self._signed()
            take(field, kind)

    def _skip(self, kind: int) -> None:
        if kind in (1, 2):  # true and false are in the kind itself
            return
        if kind == 3:
            self._at += 1
        elif kind in (4, 5, 6):
            self._number()
        elif kind == 7:
            self._at += 8
        elif kind == 8:
            length = self._number()
            self._at += length
        elif kind in (9, 10):
            self._skip_list()
        elif kind == 12:
            self._read_struct(lambda _, inner: self._skip(inner))
        else:
            raise ContentError("a Parquet file with a damaged page")

    def _skip_list(self) -> None:
        byte = self._byte()
        count = byte >> 4 if byte >> 4 != 15 else self._number()
        if count > len(self._data):
            raise IndexError
        for _ in range(count):
            if byte & 15 in (1, 2):
                self._at += 1
            else:
                self._skip(byte & 15)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
