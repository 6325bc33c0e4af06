"""What planning reads of a set: its usable faces, and the groups that its drivers' expressions fall into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.model.expression.clusters import expression_clusters
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.schemes import to_common
from mien.model.pair_planning import PlanRules
from mien.storage import Root, open_table
from mien.tasks.sets.faces import FaceTables, crop_size_px

UNLABELLED = "(no label)"


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


def driver_groups(root: Root, tables: FaceTables, drivers: UsableFaces, rules: PlanRules) -> list[str]:
    """For each driver its label; where none has one, the cluster of its expression."""
    if any(label is not None for label in drivers.expressions):
        return [UNLABELLED if label is None else label for label in drivers.expressions]
    # Clusters depend on the order of the faces, plans must not.
    order = np.argsort(drivers.face_ids, kind="stable")
    people = np.unique(np.array(drivers.people, np.str_), return_inverse=True)[1]
    clusters = expression_clusters(_points(root, tables)[order], people[order], rules.planning.clusters, rules.seed)
    found = np.zeros(len(order), np.int64)
    found[order] = clusters
    return [f"cluster {number + 1}" for number in found.tolist()]


def _points(root: Root, tables: FaceTables) -> np.ndarray:
    """The 68 landmarks of the usable faces (faces × 68 × 2, in [-1, 1] over the crop), in the order of the rows."""
    side_px = crop_size_px(root, tables)
    columns = ["landmarks_xy", "landmark_scheme"]
    scanner = open_table(root, "faces", tables.faces).scanner(columns=columns, filter=pc.field("status") == "ok")
    parts: list[np.ndarray] = [np.zeros((0, 68, 2), np.float32)]
    for batch in scanner.to_batches():
        schemes = set(batch["landmark_scheme"].to_pylist())
        flat = batch["landmarks_xy"].flatten().to_numpy()
        for scheme in schemes:  # a set has one: that of its detector
            points = to_common(flat.reshape(batch.num_rows, -1, 2), scheme)
            parts.append(from_px(points, side_px).astype(np.float32))
    return np.concatenate(parts)
