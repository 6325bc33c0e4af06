"""Training faces in memory: aligned photos with their keypoints, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mien.model.device import on_device
from mien.model.images.tensors import from_uint8
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.keypoints import KeypointInfo, heatmaps_to_float
from mien.model.landmarks.schemes import PARTS, POINTS, LandmarkScheme
from mien.model.networks.base import Sources


def keypoints_on(
    device: torch.device | str,
    heatmaps: UInt8[np.ndarray, "rows parts side side"],
    points: Float[np.ndarray, "rows 68 2"],
) -> KeypointInfo:
    """Keypoints as the networks take them, on a device."""
    return KeypointInfo(heatmaps_to_float(on_device(heatmaps, device)), on_device(points.astype(np.float32), device))


ABSENT = -1
"""Instead of a person's number."""


@dataclass(frozen=True)
class FaceArrays:
    """Aligned faces of several people, row by row. About 80 kB per face at 128 px."""

    images: UInt8[np.ndarray, "faces 3 size size"]
    heatmaps: UInt8[np.ndarray, "faces parts side side"]
    points: Float[np.ndarray, "faces 68 2"]
    """The 68 common landmarks in [-1, 1] over the crop."""
    identities: Int[np.ndarray, " faces"]
    """A number per person; `ABSENT` where a row holds no face now."""
    sets: Int[np.ndarray, " faces"] | None = None
    """A number per set that the faces come from; None if they are of one."""
    spec: HeatmapSpec = field(default_factory=HeatmapSpec)
    """Of the heatmaps."""
    scheme: LandmarkScheme = "ibug68"
    """Of the landmarks that the heatmaps were drawn from."""
    dense: Float[np.ndarray, "faces landmarks 2"] | None = None
    """These landmarks, in [-1, 1] over the crop, where they are more than the common ones."""

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def side_px(self) -> int:
        """Of the images."""
        return self.images.shape[-1]

    @property
    def landmarks(self) -> Float[np.ndarray, "faces landmarks 2"]:
        """What the heatmaps were drawn from, in [-1, 1] over the crop."""
        return self.points if self.dense is None else self.dense

    def keypoints(self, rows: Int[np.ndarray, " rows"], device: torch.device | str = "cpu") -> KeypointInfo:
        """L of the given rows."""
        return keypoints_on(device, self.heatmaps[rows], self.points[rows])

    @classmethod
    def joined(cls, parts: Sequence[FaceArrays]) -> FaceArrays:
        """Faces of different people as one set, the people numbered on."""
        parts = [part for part in parts if len(part)]
        starts = np.cumsum([0, *(part.identities.max() + 1 for part in parts)])
        return cls(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.heatmaps for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.identities + start for part, start in zip(parts, starts, strict=False)]),
            spec=parts[0].spec,
            scheme=parts[0].scheme,
            dense=None if parts[0].dense is None else np.concatenate([part.landmarks for part in parts]),
        )

    @classmethod
    def room(cls, count: int, side_px: int, spec: HeatmapSpec, scheme: LandmarkScheme) -> FaceArrays:
        """Memory for so many faces of nobody; the system gives it when it is written to."""
        return cls(
            np.empty((count, 3, side_px, side_px), np.uint8),
            np.empty((count, len(PARTS), spec.size_px, spec.size_px), np.uint8),
            np.empty((count, 68, 2), np.float32),
            np.full(count, ABSENT, np.int64),
            np.zeros(count, np.int64),
            spec,
            scheme,
            None if scheme == "ibug68" else np.empty((count, POINTS[scheme], 2), np.float32),
        )

    def part(self, first: int, count: int) -> FaceArrays:
        """So many rows from this one on: what is written to them is written here."""
        rows = slice(first, first + count)
        return replace(
            self,
            images=self.images[rows],
            heatmaps=self.heatmaps[rows],
            points=self.points[rows],
            identities=self.identities[rows],
            sets=None if self.sets is None else self.sets[rows],
            dense=None if self.dense is None else self.dense[rows],
        )

    def showing(self, identities: Int[np.ndarray, " faces"], sets: Int[np.ndarray, " faces"]) -> FaceArrays:
        """The same rows as the faces of these people, or of nobody."""
        return replace(self, identities=identities, sets=sets)

    def photos(self, rows: Int[np.ndarray, " rows"], device: torch.device | str = "cpu") -> Float[Tensor, "rows 3 s s"]:
        """I of the given rows, in [-1, 1]."""
        return from_uint8(on_device(self.images[rows], device))

    def sources(
        self,
        rows: Int[np.ndarray, " rows"] | Int[np.ndarray, "rows sources"],
        device: torch.device | str = "cpu",
        present: Bool[np.ndarray, "rows sources"] | None = None,
    ) -> Sources:
        """The photos of the given rows as sources: one of each row, or several of which some may only fill up."""
        columns = list(rows.reshape(len(rows), -1).T)
        there = None if present is None else on_device(present, device)
        photos = [self.photos(column, device) for column in columns]
        return Sources.stacked(photos, [self.keypoints(column, device) for column in columns], there)
