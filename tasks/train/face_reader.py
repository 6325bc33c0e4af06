"""Reads faces of an index from the tables into arrays, shard by shard."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, UInt8

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb, resize_rgb
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.schemes import LandmarkScheme, to_common
from mien.model.training.face_arrays import FaceArrays
from mien.storage import Root, read_shard
from mien.storage.shards import shard_path
from mien.tasks.errors import RunError
from mien.tasks.sets.faces import heatmaps_of
from mien.tasks.train.face_index import FaceIndex, Place, Rows

_DECODING = 4
"""Threads at most; pictures leave Python's lock."""


@dataclass(frozen=True)
class FaceReader:
    """Reads usable faces that were aligned alike, with landmarks of one scheme."""

    root: Root
    index: FaceIndex
    side_px: int
    """Of the photos as they are trained on."""
    crop_px: int
    """Of the crops, whose pixels the landmarks are in."""
    spec: HeatmapSpec
    scheme: LandmarkScheme

    def read(self, faces: Rows, into: FaceArrays) -> None:
        """Writes photos, heatmaps and landmarks of some faces into as many rows of arrays.

        Raises:
            StorageError: a shard cannot be read; it is named.
            RunError: a crop is no picture; its shard is named.
        """
        for place, positions, rows in self.index.by_shard(faces):
            columns = ("face_id", "crop", "landmarks_xy")
            table = read_shard(self.root, "faces", place.faces, columns).take(rows)
            self._draw_photos(place, table, positions, into)
            self._place_landmarks(table, positions, into)
            into.heatmaps[positions] = self._heatmaps(place, table["face_id"], rows)

    def read_points(self, faces: Rows) -> Float[np.ndarray, "faces 68 2"]:
        """The common landmarks of some faces alone, in [-1, 1] over the crop.

        Raises:
            StorageError: a shard cannot be read; it is named.
        """
        out = np.empty((len(faces), 68, 2), np.float32)
        for place, positions, rows in self.index.by_shard(faces):
            table = read_shard(self.root, "faces", place.faces, ["landmarks_xy"]).take(rows)
            out[positions] = from_px(to_common(_landmarks_px(table), self.scheme), self.crop_px)
        return out

    def _draw_photos(self, place: Place, table: pa.Table, positions: Rows, into: FaceArrays) -> None:
        def draw(position: int, crop: bytes) -> None:
            into.images[position] = resize_rgb(decode_rgb(crop), self.side_px).transpose(2, 0, 1)

        crops = table["crop"].to_pylist()
        try:
            if (threads := min(_DECODING, _cores())) == 1:
                for position, crop in zip(positions.tolist(), crops, strict=True):
                    draw(position, crop)
                return
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(draw, positions.tolist(), crops))
        except ImageError as error:
            shard = self.root.uri(shard_path("faces", place.faces))
            raise RunError(f"{shard} has a crop that cannot be read ({error}): prepare the set again") from error

    def _place_landmarks(self, table: pa.Table, positions: Rows, into: FaceArrays) -> None:
        landmarks = _landmarks_px(table)
        into.points[positions] = from_px(to_common(landmarks, self.scheme), self.crop_px)
        if into.dense is not None:
            into.dense[positions] = from_px(landmarks, self.crop_px)

    def _heatmaps(
        self, place: Place, face_ids: pa.ChunkedArray, rows: Rows
    ) -> UInt8[np.ndarray, "rows parts side side"]:
        if place.heatmaps is not None:
            table = read_shard(self.root, "heatmaps", place.heatmaps, ["face_id", "heatmap"]).take(rows)
            if table["face_id"].equals(face_ids):
                return _as_heatmaps(table["heatmap"].to_pylist(), self.spec)
        ids: Sequence[str] = face_ids.to_pylist()
        found = heatmaps_of(self.root, place.tables, ids)
        return np.stack([found[face_id] for face_id in ids])


def _landmarks_px(table: pa.Table) -> Float[np.ndarray, "rows points 2"]:
    values = table["landmarks_xy"].combine_chunks().flatten().to_numpy()
    return values.astype(np.float32, copy=False).reshape(len(table), -1, 2)


def _as_heatmaps(values: Sequence[bytes], spec: HeatmapSpec) -> UInt8[np.ndarray, "rows parts side side"]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1, spec.size_px, spec.size_px)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
