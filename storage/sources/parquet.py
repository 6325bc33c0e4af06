"""Parquet with a column of pictures, as Hugging Face's datasets have it: a struct of bytes and path, or plain bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import StorageError
from mien.storage.root import storage_errors
from mien.storage.sources.access import open_anywhere
from mien.storage.sources.files import SourceFile
from mien.storage.sources.item import SourceItem, as_text
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.lists import LABEL_COLUMNS, is_list, labels_of_row, parquet_list_items, spelled

_ROWS_AT_ONCE = 16


def parquet_items(file: SourceFile, rule: LabelRule) -> Iterator[SourceItem]:
    """The pictures of a Parquet file: listed in a column `uri`, or held in a column of pictures.

    Raises:
        StorageError: it cannot be read, or has neither column.
    """
    with storage_errors(file.uri), open_anywhere(file.uri) as binary:
        table = pq.ParquetFile(binary)
        if is_list(table.schema_arrow):
            yield from parquet_list_items(file, table, rule)
            return
        yield from _column_items(file, table, rule)


def _column_items(file: SourceFile, table: pq.ParquetFile, rule: LabelRule) -> Iterator[SourceItem]:
    schema = table.schema_arrow
    column = image_column(schema)
    if column is None:
        raise StorageError(
            f"{file.uri} has neither a column uri nor one of pictures (a struct of bytes and path); "
            f"it has {', '.join(schema.names)}"
        )
    labels = [name for name in schema.names if spelled(name) in LABEL_COLUMNS]
    kind = schema.field(column).type
    paths = [f"{column}.path"] if pa.types.is_struct(kind) and kind.get_field_index("path") >= 0 else []
    # Of a row without labels and path nothing is read at all.
    rows = _plain_rows(table, [*labels, *paths]) if labels or paths else iter([{}] * table.metadata.num_rows)
    for place, row in enumerate(rows):
        given, path = labels_of_row(row), (row.get(column) or {}).get("path") or ""
        folder, slash, _ = path.partition("/")
        found = rule.of(as_text(path), as_text(folder) if slash else None)
        ruled_out = found.status != "ok" and "identity" not in given
        yield SourceItem(
            file.uri,
            found.identity if rule.identity != "source" else given.get("identity") or found.identity,
            given.get("expression") or found.expression,
            file.version,
            column,
            row=place,
            licence=given.get("licence"),
            consent=given.get("consent"),
            status=found.status if ruled_out else "ok",
            reason=found.reason if ruled_out else None,
        )


def _plain_rows(table: pq.ParquetFile, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in table.iter_batches(batch_size=4096, columns=columns):
        yield from batch.to_pylist()


def image_column(schema: pa.Schema) -> str | None:
    """The first column that is a struct with bytes in it, else the first of bytes."""
    structs = [field for field in schema if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0]
    for field in structs:
        if _is_bytes(field.type.field("bytes").type):
            return str(field.name)
    return next((str(field.name) for field in schema if _is_bytes(field.type)), None)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


class ColumnReader:
    """Reads rows of one column of pictures; going forward, each is read once, a few rows at a time."""

    def __init__(self, uri: str) -> None:
        self._binary = open_anywhere(uri)
        self._file = pq.ParquetFile(self._binary, buffer_size=2**20)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._column: str | None = None
        self._start, self._rows, self._group_end = 0, list[Any](), 0

    def read(self, item: SourceItem) -> bytes:
        """The bytes in a row.

        Raises:
            StorageError: there are none.
        """
        row, column = item.row or 0, item.member or ""
        if column != self._column or row < self._start or row >= self._group_end:
            self._enter_group(row, column)
        while row >= self._start + len(self._rows):
            self._start += len(self._rows)
            self._rows = next(self._batches).column(0).to_pylist()
        value = self._rows[row - self._start]
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is None:
            raise StorageError(f"row {row} of {item.uri} holds no bytes (a path in a table is not followed)")
        return data

    def _enter_group(self, row: int, column: str) -> None:
        metadata, start = self._file.metadata, 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if row < start + rows:
                break
            start += rows
        else:
            raise StorageError(f"there is no row {row}: the file has changed")
        self._start, self._rows, self._group_end, self._column = start, [], start + rows, column
        self._batches = self._file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=[self._bytes_of(column)])

    def _bytes_of(self, column: str) -> str:
        return f"{column}.bytes" if pa.types.is_struct(self._file.schema_arrow.field(column).type) else column

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        self._binary.close()
