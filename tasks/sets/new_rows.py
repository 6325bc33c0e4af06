"""What a run has added to a set: usable rows of its tables that the version before did not have."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.compute as pc

from mien.storage import Root, TableName, open_table, read_set, set_names

KEYS: Mapping[TableName, str] = {"images": "image_id", "faces": "face_id", "transfers": "output_id"}
"""The column that tells the rows of a table apart."""


def tables_of(root: Root, name: str) -> dict[TableName, str]:
    """The fingerprints of the tables of a set; none where there is no such set."""
    return dict(read_set(root, name).tables) if name in set_names(root) else {}


def new_rows(root: Root, table: TableName, before: Mapping[TableName, str], after: str) -> int:
    """Rows with the status `ok` of the table `after` that the one of `before` lacks.

    Raises:
        StorageError: one of the tables cannot be read.
    """
    former = before.get(table)
    if former == after:
        return 0
    return len(_usable(root, table, after) - (_usable(root, table, former) if former else set()))


def _usable(root: Root, table: TableName, fingerprint: str) -> set[str]:
    key = KEYS[table]
    rows = open_table(root, table, fingerprint).to_table(columns=[key], filter=pc.field("status") == "ok")
    return set(rows[key].to_pylist())
