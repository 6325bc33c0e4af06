"""The heatmap cache: each row of `faces` has its row of `heatmaps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.schemes import PARTS
from mien.storage import Root, ShardRef, TableRef, read_shard, write_shard
from mien.storage.schemas import heatmaps_schema
from mien.tasks.runtime.stage import Stage
from mien.tasks.runtime.workers import tick

_FACE_COLUMNS = ["face_id", "landmarks_xy", "landmark_scheme", "status", "reason", "failure"]


@dataclass(frozen=True)
class HeatmapSettings:
    """What decides the heatmaps, besides the faces."""

    crop_size_px: int
    spec: HeatmapSpec = field(default_factory=HeatmapSpec)


def _decides(_root: Root, faces: str, settings: HeatmapSettings) -> dict[str, Any]:
    return {"faces": faces, **asdict(settings)}


def _make(root: Root, name: str, faces: str, settings: HeatmapSettings) -> ShardRef:
    spec, crop_size_px = settings.spec, settings.crop_size_px
    table = read_shard(root, "faces", faces, _FACE_COLUMNS)
    heatmaps = [
        None if landmarks is None else _heatmap(landmarks, scheme, crop_size_px, spec)
        for landmarks, scheme in zip(
            table["landmarks_xy"].to_pylist(), table["landmark_scheme"].to_pylist(), strict=True
        )
    ]
    schema = heatmaps_schema(PARTS, spec.size_px, spec.sigma_px, crop_size_px)
    outcome = [table[name] for name in ("status", "reason", "failure")]
    columns = [table["face_id"], pa.array(heatmaps, schema.field("heatmap").type), *outcome]
    tick(table.num_rows)
    return write_shard(root, "heatmaps", name, pa.table(columns, schema=schema))


def _heatmap(landmarks_xy: list[float], scheme: str, crop_size_px: int, spec: HeatmapSpec) -> bytes:
    points = np.asarray(landmarks_xy, np.float32).reshape(1, -1, 2)
    return render_heatmaps(points, scheme, crop_size_px, spec).tobytes()  # pyright: ignore[reportArgumentType]


HEATMAPS = Stage("render heatmaps", "faces", "heatmaps", __name__, _decides, _make)
"""A shard of `faces`, by its fingerprint, becomes one of `heatmaps`."""


def commit_heatmaps(root: Root, faces: TableRef, shards: Sequence[ShardRef], settings: HeatmapSettings) -> TableRef:
    """Makes the heatmaps visible as one table."""
    return HEATMAPS.commit(root, shards, {"faces": faces.fingerprint, "spec": asdict(settings.spec)})
