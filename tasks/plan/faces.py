"""What planning reads of a set: its usable faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.storage import Root, open_table
from mien.tasks.sets.faces import FaceTables


@dataclass(frozen=True)
class UsableFaces:
    """The usable faces of a set, column by column; strings that are alike are one object."""

    face_ids: np.ndarray
    """UTF-8 bytes."""
    people: list[str]
    """Labels; the image of a face without one, so that each unlabelled image counts as a person."""
    expressions: list[str | None]
    poses: np.ndarray
    """Faces × 3, NaN where not known."""


def read_usable(root: Root, tables: FaceTables, splits: Sequence[str]) -> UsableFaces:
    """Those of a set, or of some of its splits; none gives all."""
    chosen = pc.field("status") == "ok"
    if splits:
        chosen = chosen & pc.field("split").isin(list(splits))
    names = ["face_id", "image_id", "identity", "expression", "pose"]
    table = open_table(root, "faces", tables.faces).to_table(columns=names, filter=chosen)
    people = _shared(pc.call_function("coalesce", [table["identity"], table["image_id"]]))
    poses = [pc.call_function("list_element", [table["pose"], pa.scalar(axis)]).to_numpy() for axis in range(3)]
    return UsableFaces(
        np.array(table["face_id"].cast(pa.binary()).to_numpy(), np.bytes_),
        [str(person) for person in people],
        _shared(table["expression"]),
        np.column_stack(poses).astype(np.float64),
    )


def _shared(column: pa.ChunkedArray) -> list[str | None]:
    encoded = column.combine_chunks().dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    return [names[number] for number in encoded.indices.fill_null(-1).to_pylist()]
