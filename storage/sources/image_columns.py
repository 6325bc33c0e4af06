"""Which column of a Parquet file holds the pictures, and the bytes in its cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import ContentError
from mien.storage.sources.access import open_anywhere
from mien.storage.sources.item import SourceItem
from mien.storage.sources.kinds import HEAD_BYTES, kind_of
from mien.storage.sources.label_columns import image_features
from mien.storage.sources.limits import limits
from mien.storage.sources.parquet_pages import batch_rows, open_table

_LOOKED_AT = 8
"""Cells of a column that are looked at to know whether it holds pictures."""


@dataclass(frozen=True)
class ImageColumn:
    """A column of bytes, or of structs or lists with bytes in them."""

    path: tuple[str, ...]
    bytes_column: str
    """What of it is read, as pyarrow's readers take it."""
    path_column: str | None
    """Where the picture's own path is; null if there is none."""

    @property
    def name(self) -> str:
        """As the items have it."""
        return ".".join(self.path)

    def cell(self, row: dict[str, Any]) -> Any:
        """The cell of a row."""
        value: Any = row
        for name in self.path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def path_of(self, row: dict[str, Any]) -> Any:
        """The picture's own path in a row."""
        cell = self.cell(row)
        if isinstance(cell, list) and len(cell) == 1:
            cell = cell[0]
        return cell.get("path") if isinstance(cell, dict) else None


def image_column(uri: str, binary: BinaryIO, table: pq.ParquetFile) -> ImageColumn | None:
    """The column of pictures: what the file calls so, then structs of bytes, then bytes; among several the first one
    whose cells begin as pictures do. None where no column could hold any."""
    columns = image_columns(table.schema_arrow)
    if len(columns) < 2:
        return columns[0] if columns else None
    return next((column for column in columns if _holds_pictures(uri, binary, table, column)), columns[0])


def _holds_pictures(uri: str, binary: BinaryIO, table: pq.ParquetFile, column: ImageColumn) -> bool:
    try:
        cells = islice((bytes_of(cell) for cell in _cells(uri, binary, table, column)), _LOOKED_AT)
        return any(data and kind_of(data[:HEAD_BYTES], "") == "image" for data in cells)
    except (ContentError, pa.ArrowException, OSError):
        return False


def _cells(uri: str, binary: BinaryIO, table: pq.ParquetFile, column: ImageColumn) -> Iterator[Any]:
    """Those that are not empty."""
    for group in range(table.metadata.num_row_groups):
        at_once = batch_rows(uri, binary, table, group, [column.bytes_column])
        for batch in table.iter_batches(min(at_once, _LOOKED_AT), row_groups=[group], columns=[column.bytes_column]):
            yield from (cell for row in batch.to_pylist() if (cell := column.cell(row)) is not None)


def image_columns(schema: pa.Schema) -> list[ImageColumn]:
    """The columns that may hold pictures, the likeliest first."""
    structs, plain = list[ImageColumn](), list[ImageColumn]()
    waiting = [((str(field.name),), field.type) for field in schema]
    while waiting:
        path, kind = waiting.pop(0)
        inner = kind.value_type if _is_list(kind) else kind
        name = ".".join(path)
        if _is_bytes(inner):
            plain.append(ImageColumn(path, name, None))
        elif pa.types.is_struct(inner):
            if inner.get_field_index("bytes") >= 0 and _is_bytes(inner.field("bytes").type):
                has_path, whole = inner.get_field_index("path") >= 0, _is_list(kind)
                path_column = None if not has_path else name if whole else f"{name}.path"
                structs.append(ImageColumn(path, name if whole else f"{name}.bytes", path_column))
            elif not _is_list(kind):
                waiting += [((*path, str(field.name)), field.type) for field in inner]
    declared = image_features(schema)
    # A list of structs is read whole: its paths alone cannot be had.
    return sorted([*structs, *plain], key=lambda column: column.path[0] not in declared)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return (
        types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind) or types.is_list_view(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_bytes(kind.value_type)
    types = pa.types
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def bytes_of(cell: Any) -> bytes | None:
    """The bytes in a cell.

    Raises:
        ContentError: it holds several pictures.
    """
    if isinstance(cell, list):
        if len(cell) > 1:
            raise ContentError(f"holds a list of {len(cell)} pictures: give each a row")
        cell = cell[0] if cell else None
    value = cell.get("bytes") if isinstance(cell, dict) else cell
    return value if isinstance(value, bytes) else None


class ColumnReader:
    """Reads rows of one column of pictures; going forward, each is read once, a few rows at a time."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._binary = open_anywhere(uri)
        self._table = open_table(uri, self._binary)
        self._columns = {column.name: column for column in image_columns(self._table.schema_arrow)}
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._column: str | None = None
        self._start, self._rows, self._group_end = 0, list[Any](), 0

    def read(self, item: SourceItem) -> bytes:
        """The bytes in a row.

        Raises:
            ContentError: there are none, or more than a photo may have.
        """
        row, name = item.row or 0, item.member or ""
        column = self._columns.get(name)
        if column is None:
            raise ContentError(f"{item.uri} has no column {name}: the file has changed")
        if name != self._column or row < self._start or row >= self._group_end:
            self._enter_group(row, column)
        while row >= self._start + len(self._rows):
            self._start += len(self._rows)
            self._rows = next(self._batches).to_pylist()
        try:
            data = bytes_of(column.cell(self._rows[row - self._start]))
        except ContentError as error:
            raise ContentError(f"row {row} of {item.uri} {error}") from error
        if data is None:
            raise ContentError(f"row {row} of {item.uri} holds no bytes (a path in a table is not followed)")
        if len(data) > limits().photo_bytes:
            raise ContentError(f"row {row} of {item.uri} holds {len(data)} bytes, more than {limits().photo_bytes}")
        return data

    def _enter_group(self, row: int, column: ImageColumn) -> None:
        metadata, start = self._table.metadata, 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if row < start + rows:
                break
            start += rows
        else:
            raise ContentError(f"there is no row {row}: the file has changed")
        columns = [column.bytes_column]
        at_once = batch_rows(self._uri, self._binary, self._table, group, columns)
        self._start, self._rows, self._group_end, self._column = start, [], start + rows, column.name
        self._batches = self._table.iter_batches(at_once, row_groups=[group], columns=columns)

    def close(self) -> None:
        """Closes the file."""
        self._table.close()
        self._binary.close()
