"""The heatmap cache: each row of `faces` has its row of `heatmaps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.schemes import PARTS
from mien.storage import (
    Root,
    ShardRef,
    TableRef,
    commit,
    find_good_shard,
    fingerprint,
    read_shard,
    source_digest,
    write_shard,
)
from mien.storage.schemas import heatmaps_schema
from mien.tasks.runtime.workers import in_worker, tick

CODE = source_digest(__name__)

_FACE_COLUMNS = ["face_id", "landmarks_xy", "landmark_scheme", "status", "reason"]


def find_heatmaps(root: Root, faces: str, crop_size_px: int, spec: HeatmapSpec) -> ShardRef | None:
    """The shard of `heatmaps` for a shard of `faces`, if it exists."""
    return find_good_shard(root, "heatmaps", _name(faces, crop_size_px, spec))


def _name(faces: str, crop_size_px: int, spec: HeatmapSpec) -> str:
    return fingerprint({"code": CODE, "faces": faces, "crop_size_px": crop_size_px, "spec": asdict(spec)})


def heatmap_shard(root: Root, faces: str, crop_size_px: int, spec: HeatmapSpec) -> ShardRef:
    """The shard of `heatmaps` for a shard of `faces`: found where it exists, else rendered and written."""
    name = _name(faces, crop_size_px, spec)
    if found := find_good_shard(root, "heatmaps", name):
        tick(found.rows)
        return found
    return in_worker(_render, root, name, faces, crop_size_px, spec)


def _render(root: Root, name: str, faces: str, crop_size_px: int, spec: HeatmapSpec) -> ShardRef:
    table = read_shard(root, "faces", faces, _FACE_COLUMNS)
    heatmaps = [
        None if landmarks is None else _heatmap(landmarks, scheme, crop_size_px, spec)
        for landmarks, scheme in zip(
            table["landmarks_xy"].to_pylist(), table["landmark_scheme"].to_pylist(), strict=True
        )
    ]
    schema = heatmaps_schema(PARTS, spec.size_px, spec.sigma_px, crop_size_px)
    columns = [table["face_id"], pa.array(heatmaps, schema.field("heatmap").type), table["status"], table["reason"]]
    tick(table.num_rows)
    return write_shard(root, "heatmaps", name, pa.table(columns, schema=schema))


def _heatmap(landmarks_xy: list[float], scheme: str, crop_size_px: int, spec: HeatmapSpec) -> bytes:
    points = np.asarray(landmarks_xy, np.float32).reshape(1, -1, 2)
    return render_heatmaps(points, scheme, crop_size_px, spec).tobytes()  # pyright: ignore[reportArgumentType]


def commit_heatmaps(root: Root, faces: TableRef, shards: Sequence[ShardRef], spec: HeatmapSpec) -> TableRef:
    """Makes the heatmaps visible as one table."""
    return commit(root, "heatmaps", shards, {"faces": faces.fingerprint, "spec": asdict(spec), "code": CODE})
