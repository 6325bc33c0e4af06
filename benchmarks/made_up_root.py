"""A prepared set of made-up faces, of any size: nothing is detected, pictures may be the same bytes again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import PARTS
from mien.storage import Root, ShardRef, TableRef, commit, fingerprint, write_shard
from mien.storage.schemas import FACES, heatmaps_schema
from mien.tasks.sets.faces import FaceTables


@dataclass(frozen=True)
class MadeUpSet:
    """People one after the other, each with as many photos; one in `held_out` is in val."""

    people: int
    photos: int
    side_px: int
    shard_rows: int = 512
    held_out: int = 50
    spec: HeatmapSpec = field(default_factory=HeatmapSpec)

    def write(self, root: Root, name: str, crop: Callable[[int], bytes]) -> FaceTables:
        """Writes the set, its tables alone; `crop` gives the picture of each face."""
        calm = reference_landmarks(AlignmentSettings(size_px=self.side_px)).astype(np.float32)
        moved = calm + np.random.default_rng(0).normal(0, self.side_px / 100, (self.shard_rows, 68, 2))
        spread = moved.astype(np.float32)
        heatmap = render_heatmaps(calm[None], "ibug68", self.side_px, self.spec)[0].tobytes()
        schema = heatmaps_schema(PARTS, self.spec.size_px, self.spec.sigma_px, self.side_px, self.spec.form)
        faces, heatmaps = list[ShardRef](), list[ShardRef]()
        for first in range(0, self.people * self.photos, self.shard_rows):
            numbers = range(first, min(first + self.shard_rows, self.people * self.photos))
            rows = [self._row(name, n, crop(n), spread[n - first]) for n in numbers]
            drawn = [{"face_id": row["face_id"], "heatmap": heatmap, "status": "ok"} for row in rows]
            own = fingerprint([name, asdict(self), first])
            faces.append(write_shard(root, "faces", own, pa.Table.from_pylist(rows, schema=FACES)))
            heatmaps.append(write_shard(root, "heatmaps", own, pa.Table.from_pylist(drawn, schema=schema)))
        settings = {"alignment": asdict(AlignmentSettings(size_px=self.side_px)), "faces": "mediapipe"}
        tables: list[TableRef] = [
            commit(root, "faces", faces, {"settings": settings, "weights": {}}),
            commit(root, "heatmaps", heatmaps, {"spec": asdict(self.spec)}),
        ]
        return FaceTables(name, tables[0].fingerprint, tables[1].fingerprint)

    def _row(self, name: str, n: int, crop: bytes, landmarks: np.ndarray) -> dict[str, object]:
        person = n // self.photos
        return {
            "face_id": fingerprint([name, n]),
            "image_id": fingerprint([name, "photo", n]) * 2,
            "identity": f"person {person:07d}",
            "split": "val" if person % self.held_out == self.held_out - 1 else "train",
            "landmarks_xy": landmarks.ravel(),
            "landmark_scheme": "ibug68",
            "crop": crop,
            "status": "ok",
        }
