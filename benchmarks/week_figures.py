"""The figures of a night's report, computed again from the Parquet files of the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from mien.storage import Root, read_manifest, read_set
from mien.storage.shards import shard_path

KEYS = {"images": "image_id", "faces": "face_id", "transfers": "output_id"}
NAMES = {"photos": "images", "usable faces": "faces", "generated faces": "transfers"}
"""Rows of the report's table, and the tables that they count."""


@dataclass(frozen=True)
class Figures:
    """The usable rows of the tables of both sets."""

    ids: Mapping[str, set[str]]
    """By table."""
    rows: Mapping[str, int]
    """Usable and others, by table."""
    generators: Mapping[str, int]
    """Generated faces by the version that made them."""

    @staticmethod
    def of(root: Root, prepared: str, generated: str) -> Figures:
        """Of the present versions of two sets."""
        tables = {**read_set(root, prepared).tables, **read_set(root, generated).tables}
        ids: dict[str, set[str]] = {}
        rows: dict[str, int] = {}
        generators: dict[str, int] = {}
        for table, key in KEYS.items():
            found: list[dict[str, Any]] = []
            for shard in read_manifest(root, table, tables[table]).shards:  # pyright: ignore[reportArgumentType]
                columns = [key, "status", *(["model_uri"] if table == "transfers" else [])]
                with root.open(shard_path(shard.table, shard.fingerprint)) as file:
                    found += pq.read_table(file, columns=columns).to_pylist()
            ids[table], rows[table] = {row[key] for row in found if row["status"] == "ok"}, len(found)
            for row in found:
                if "model_uri" in row:
                    generators[row["model_uri"]] = generators.get(row["model_uri"], 0) + 1
        return Figures(ids, rows, generators)


def check_report(report: str, before: Figures | None, after: Figures) -> str:
    """Compares the table of a night's report with the figures; a line on both.

    Raises:
        SystemExit: they do not agree.
    """
    told = {
        name: (int(new), int(whole))
        for name, new, whole in re.findall(r"^\| ([a-z ]+) \| (\d+) \| (\d+) \|$", report, re.MULTILINE)
    }
    for name, table in NAMES.items():
        new = after.ids[table] - (before.ids[table] if before else set())
        whole = after.rows[table] if table == "images" else len(after.ids[table])
        if told.get(name) != (expected := (len(new), whole)):
            raise SystemExit(f"the report says of {name} {told.get(name)}, the tables {expected}:\n{report}")
    made = ", ".join(f"{count} by {uri}" for uri, count in sorted(after.generators.items()))
    return f"the report agrees with the tables: {told}; rows of generated faces: {made}"
