"""Shards that were written before a column was added: there it is read as null."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.schemas import SCHEMAS, TableName

_OF_TRANSFERS = (
    "inputs", "neutrals", "person_similarity", "nearest_similarity", "asked", "expression_reached", "mouth_asked",
    "mouth_reached", "lids_asked", "lids_reached", "brows_asked", "brows_reached", "jaw_asked", "jaw_reached",
    "pose_asked", "pose_reached", "gaze_asked", "gaze_reached", "mouth_sharpness_ratio", "eyes_sharpness_ratio",
    "texture_error", "contrast_ratio", "colour_difference", "found_landmarks_xy",
)  # fmt: skip

ADDED: dict[str, pa.DataType] = {
    "failure": pa.string(),
    "further_source_ids": SCHEMAS["pairs"].field("further_source_ids").type,
    "further_image_ids": SCHEMAS["transfers"].field("further_image_ids").type,
    **{name: SCHEMAS["transfers"].field(name).type for name in _OF_TRANSFERS},
}
"""Columns that shards of older versions lack, those but the first two of `transfers` alone."""


def completed(table: TableName, schema: pa.Schema) -> pa.Schema:
    """The schema of a shard, with the columns of its table that it lacks since it is of an older version."""
    names = SCHEMAS[table].names if table in SCHEMAS else [*schema.names, "failure"]
    lacking = [name for name in names if name in ADDED and name not in schema.names]
    for name in lacking:
        schema = schema.insert(min(names.index(name), len(schema)), pa.field(name, ADDED[name]))
    return schema


def read_columns(file: pq.ParquetFile, columns: Sequence[str]) -> pa.Table:
    """The columns in this order, also those that the file lacks since it is of an older version: null."""
    lacking = [name for name in columns if name in ADDED and name not in file.schema_arrow.names]
    # The file gives columns in its own order.
    read = file.read([name for name in columns if name not in lacking])
    for name in lacking:
        read = read.append_column(name, pa.nulls(file.metadata.num_rows, ADDED[name]))
    return read.select(list(columns))
