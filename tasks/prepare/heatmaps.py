"""The heatmap cache: each row of `faces` has its row of `heatmaps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.schemes import PARTS, LandmarkScheme
from mien.storage import Root, ShardRef, TableRef, read_shard, write_shard
from mien.storage.schemas import heatmaps_schema
from mien.tasks.runtime.attempts import LostItemError, begin, done
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
    spec = settings.spec
    rows = [
        _row(index, face, settings)
        for index, face in enumerate(read_shard(root, "faces", faces, _FACE_COLUMNS).to_pylist())
    ]
    done()
    tick(len(rows))
    schema = heatmaps_schema(PARTS, spec.size_px, spec.sigma_px, settings.crop_size_px, spec.form)
    return write_shard(root, "heatmaps", name, pa.Table.from_pylist(rows, schema=schema))


def _row(index: int, face: dict[str, Any], settings: HeatmapSettings) -> dict[str, Any]:
    row = {name: face[name] for name in ("face_id", "status", "reason", "failure")}
    if face["landmarks_xy"] is None:
        return row
    try:
        begin(index)
        return row | {"heatmap": _heatmap(face["landmarks_xy"], face["landmark_scheme"], settings)}
    except LostItemError as error:
        return row | error.outcome()


def _heatmap(landmarks_xy: list[float], scheme: LandmarkScheme, settings: HeatmapSettings) -> bytes:
    points = np.asarray(landmarks_xy, np.float32).reshape(1, -1, 2)
    return render_heatmaps(points, scheme, settings.crop_size_px, settings.spec).tobytes()


HEATMAPS = Stage("render heatmaps", "faces", "heatmaps", __name__, _decides, _make, "the drawing of heatmaps")
"""A shard of `faces`, by its fingerprint, becomes one of `heatmaps`."""


def commit_heatmaps(root: Root, faces: TableRef, shards: Sequence[ShardRef], settings: HeatmapSettings) -> TableRef:
    """Makes the heatmaps visible as one table."""
    return HEATMAPS.commit(root, shards, {"faces": faces.fingerprint, "spec": asdict(settings.spec)})
