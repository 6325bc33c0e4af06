"""What a night has added: usable rows of tables that those of the last night did not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from mien.storage import Root, TableName, open_table, read_manifest, read_set, set_names

KEYS: Mapping[TableName, str] = {"images": "image_id", "faces": "face_id", "transfers": "output_id"}
"""The column that tells the rows of a table apart."""


def tables_of_last_night(root: Root, generated: str) -> dict[TableName, str]:
    """Fingerprints of the generated faces of a set, and of the faces and photos that show their people.

    A night writes its generated set last, so these are the tables of the last night that came to its end: what a killed
    one has prepared since is new. None where there is no such set.

    Raises:
        StorageError: a table cannot be read.
    """
    if generated not in set_names(root) or "transfers" not in (tables := read_set(root, generated).tables):
        return {}
    about: Any = read_manifest(root, "transfers", tables["transfers"]).about
    faces = str(about["settings"]["sets"][0]["faces"])
    images = str(read_manifest(root, "faces", faces).about["images"])
    return {"transfers": tables["transfers"], "faces": faces, "images": images}


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
