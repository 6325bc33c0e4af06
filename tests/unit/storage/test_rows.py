"""The types of rows and the schemas of the tables say the same."""

from __future__ import annotations

from typing import Any, get_type_hints

import pyarrow as pa
import pytest

from mien.storage.errors import ErrorKind
from mien.storage.rows import ROWS
from mien.storage.schemas import SCHEMAS, TABLES, Status, TableName, heatmaps_schema

KINDS = {
    pa.string(): str,
    pa.binary(): bytes,
    pa.bool_(): bool,
    pa.int32(): int,
    pa.int64(): int,
    pa.float32(): float,
    pa.float64(): float,
}


def python_type(field: pa.Field) -> Any:
    if field.name == "status":
        return Status
    if field.name == "failure":
        return ErrorKind | None
    kind: Any
    if pa.types.is_list(field.type):
        kind = list[KINDS[field.type.value_type]]
    else:
        kind = bytes if pa.types.is_fixed_size_binary(field.type) else KINDS[field.type]
    return kind | None if field.nullable else kind


@pytest.mark.parametrize("table", TABLES)
def test_each_column_has_its_type_in_its_place(table: TableName) -> None:
    schema = SCHEMAS.get(table, heatmaps_schema(("jaw",), 2, 1.0, 4))
    assert list(get_type_hints(ROWS[table]).items()) == [(field.name, python_type(field)) for field in schema]


@pytest.mark.parametrize("table", TABLES)
def test_what_arrow_gives_back_is_of_these_types(table: TableName) -> None:
    """A null in each column that may be null, and a value in all."""
    schema = SCHEMAS.get(table, heatmaps_schema(("jaw",), 2, 1.0, 4))
    values: dict[Any, Any] = {str: "x", bytes: b"x" * 4, bool: True, int: 1, float: 0.5}
    full = {
        f.name: [values[KINDS[f.type.value_type]]] if pa.types.is_list(f.type) else value_of(f, values) for f in schema
    }
    sparse = {f.name: None if f.nullable else full[f.name] for f in schema}
    rows = pa.Table.from_pylist([full, sparse], schema=schema).to_pylist()
    assert rows == [full, sparse]


def value_of(field: pa.Field, values: dict[Any, Any]) -> Any:
    if field.name == "status":
        return "ok"
    return values[bytes if pa.types.is_fixed_size_binary(field.type) else KINDS[field.type]]
