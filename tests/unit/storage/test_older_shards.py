"""Shards of older versions are read with the columns that came later, which are null in them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mien.storage.older_shards import ADDED, completed
from mien.storage.schemas import SCHEMAS, TableName, heatmaps_schema


@pytest.mark.parametrize("table", SCHEMAS)
def test_an_older_schema_becomes_the_present_one(table: TableName) -> None:
    present = SCHEMAS[table]
    older = pa.schema([field for field in present if field.name not in ADDED])
    assert len(older) < len(present)
    assert completed(table, older) == present
    assert completed(table, present) == present


def test_heatmaps_get_no_column_of_another_table() -> None:
    present = heatmaps_schema(("mouth",), 8, 1.5, 64)
    assert completed("heatmaps", present.remove(present.get_field_index("failure"))) == present


def test_a_column_that_was_always_there_is_not_made_up() -> None:
    present = SCHEMAS["transfers"]
    lacking = present.remove(present.get_field_index("sha256"))
    assert "sha256" not in completed("transfers", lacking).names
