"""What a night has added: usable rows of tables that those of the last night did not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from mien.storage import MissingError, Root, TableName, open_table, read_manifest, read_set, set_names
from mien.storage.artefacts import NIGHTS, json_artefact, keep, load

KEYS: Mapping[TableName, str] = {"images": "image_id", "faces": "face_id", "transfers": "output_id"}
"""The column that tells the rows of a table apart."""


_REPORTED = json_artefact(NIGHTS, dict[str, str])


def note_night(root: Root, generated: str, tables: Mapping[TableName, str]) -> None:
    """Keeps the tables of a night whose report was left."""
    keep(root, _REPORTED, generated, {str(table): fingerprint for table, fingerprint in tables.items()})


def reported_tables(root: Root, generated: str) -> dict[TableName, str]:
    """Those that `note_night` kept; none where there is no note or it is damaged."""
    noted = load(root, _REPORTED, generated) or {}
    return {table: noted[table] for table in KEYS if table in noted}


def tables_of_last_night(root: Root, generated: str) -> dict[TableName, str]:
    """Fingerprints of the generated faces of a set, and of the faces and photos that show their people.

    They are those of the last night that reported: what a night that was killed before has prepared and generated since
    is new. Where nothing was noted, or tables of it are gone, they are the present ones of the generated set; none
    where there is no such set.

    Raises:
        StorageError: a table cannot be read.
    """
    if generated not in set_names(root) or "transfers" not in (tables := read_set(root, generated).tables):
        return {}
    known = reported_tables(root, generated)
    if known.keys() == KEYS.keys() and all(_is_there(root, table, name) for table, name in known.items()):
        return known
    about: Any = read_manifest(root, "transfers", tables["transfers"]).about
    faces = str(about["settings"]["sets"][0]["faces"])
    images = str(read_manifest(root, "faces", faces).about["images"])
    return {"transfers": tables["transfers"], "faces": faces, "images": images}


def _is_there(root: Root, table: TableName, fingerprint: str) -> bool:
    try:
        read_manifest(root, table, fingerprint)
    except MissingError:
        return False
    return True


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
