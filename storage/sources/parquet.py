"""Parquet files: lists of pictures elsewhere, or pictures in a column, as Hugging Face's datasets have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import ContentError
from mien.storage.root import storage_errors
from mien.storage.sources.access import open_anywhere
from mien.storage.sources.files import SourceFile
from mien.storage.sources.image_columns import ImageColumn, image_column
from mien.storage.sources.item import SourceItem, as_text
from mien.storage.sources.label_columns import LabelColumn, label_columns, list_columns, unread_labels
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.limits import Clock
from mien.storage.sources.lists import Listed, listed_items
from mien.storage.sources.notes import Notebook
from mien.storage.sources.parquet_pages import batch_rows, open_table, text_once
from mien.storage.sources.policy import SourcePolicy
from mien.storage.sources.top_folders import TopFolders


@dataclass(frozen=True)
class Row:
    """A picture in a table, before anybody labels it."""

    number: int
    path: str
    labels: dict[str, str]


@dataclass(frozen=True)
class PictureTable:
    """A Parquet file with pictures in it."""

    file: SourceFile
    column: str
    rows: list[Row]

    def items(self, rule: LabelRule, top: TopFolders) -> Iterator[SourceItem]:
        """Its pictures. The identity is that of the row, of the pattern, or of the first folder of the row's path."""
        for row in self.rows:
            labels = rule.of(row.path, top.person(row.path), row.labels)
            yield SourceItem(
                self.file.uri,
                labels.identity,
                labels.expression,
                self.file.version,
                self.column,
                row=row.number,
                licence=labels.licence,
                consent=labels.consent,
                status=labels.status,
                reason=labels.reason,
            )


def read_table(
    file: SourceFile, rule: LabelRule, policy: SourcePolicy, notebook: Notebook
) -> PictureTable | list[SourceItem]:
    """The pictures in a Parquet file, or the items of one that lists pictures elsewhere in a column `uri`.

    Raises:
        StorageError: it cannot be read, has neither column, or is more than a limit allows.
    """
    with storage_errors(file.uri), open_anywhere(file.uri) as binary:
        table = open_table(file.uri, binary)
        schema = table.schema_arrow
        labels = label_columns(schema)
        column = image_column(file.uri, binary, table)
        used = [*(label.path[0] for label in labels), *([column.path[0]] if column else []), "uri"]
        notebook.unread_columns(file.uri, unread_labels(schema.names, used, [label.label for label in labels]))
        if uri := list_columns(schema.names).get("uri"):
            rows = _rows(file.uri, binary, table, labels, [uri])
            listed = (Listed(number, str(row.get(uri) or "").strip(), given) for number, row, given in rows)
            return list(listed_items(file, listed, rule, policy))
        if column is None:
            raise ContentError(
                f"{file.uri} has neither a column uri nor one of pictures (a struct of bytes and path); "
                f"it has {', '.join(schema.names)}"
            )
        return PictureTable(file, column.name, list(_pictures(file, binary, table, labels, column)))


def _pictures(
    file: SourceFile, binary: BinaryIO, table: pq.ParquetFile, labels: Sequence[LabelColumn], column: ImageColumn
) -> Iterator[Row]:
    paths = [] if column.path_column is None else [column.path_column]
    if not labels and not paths:  # of such a row nothing is read at all
        for number in range(table.metadata.num_rows):
            yield Row(number, "", {})
        return
    for number, row, given in _rows(file.uri, binary, table, labels, paths):
        path = column.path_of(row)
        yield Row(number, as_text(path) if isinstance(path, str) else "", given)


def _rows(
    uri: str, binary: BinaryIO, table: pq.ParquetFile, labels: Sequence[LabelColumn], others: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any], dict[str, str]]]:
    """Number, columns and labels of each row."""
    number, clock = 0, Clock()
    columns = [*(label.column for label in labels), *others]
    table = text_once(binary, table, columns)
    for group in range(table.metadata.num_row_groups):
        at_once = batch_rows(uri, binary, table, group, columns)
        for batch in table.iter_batches(at_once, row_groups=[group], columns=columns):
            clock.check()
            for row in _plain(batch):
                yield number, row, {each.label: text for each in labels if (text := each.of(row)) is not None}
                number += 1


def _plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        columns = [_column(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise ContentError(f"a Parquet file with text that is none ({error})") from error


def _column(column: pa.Array) -> list[Any]:
    """Its values; text that repeats is one object, so that a long one is in memory once."""
    if not pa.types.is_dictionary(column.type):
        return column.to_pylist()
    values = column.dictionary.to_pylist()
    return [None if index is None else values[index] for index in column.indices.to_pylist()]
