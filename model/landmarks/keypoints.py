"""Keypoint information as the networks take it: L_s and L_t of the method.

The heatmaps are what the patent gives to the networks. The points go along for generators that compute a motion
from them; the residual generator does not read them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.model.device import constants, indices
from mien.model.landmarks.schemes import MIRROR, PARTS, mirror_indices


class KeypointInfo(NamedTuple):
    """Where the parts of a batch of faces are."""

    heatmaps: Float[Tensor, "batch parts side side"]
    """One channel per facial part, 0..1, at the cached size; networks resize it to what they need."""
    points: Float[Tensor, "batch 68 2"]
    """The 68 common landmarks as (x, y) in [-1, 1] over the crop."""

    def flipped(self, which: Tensor) -> KeypointInfo:
        """Mirrors the faces that the boolean mask `which` (batch) selects: left and right parts are exchanged."""
        mirrored = self.heatmaps[:, indices(part_mirror(), self.heatmaps)].flip(-1)
        points = self.points[:, indices(mirror_indices(), self.points)] * constants((-1.0, 1.0), self.points)
        return KeypointInfo(
            torch.where(which[:, None, None, None], mirrored, self.heatmaps),
            torch.where(which[:, None, None], points, self.points),
        )

    def repeated(self, times: int) -> KeypointInfo:
        """Each face so many times in a row."""
        return KeypointInfo(self.heatmaps.repeat_interleave(times, 0), self.points.repeat_interleave(times, 0))

    def rolled(self) -> KeypointInfo:
        """Each face with the keypoints of its neighbour in the batch."""
        return KeypointInfo(self.heatmaps.roll(1, 0), self.points.roll(1, 0))


def heatmaps_to_float(heatmaps: UInt8[Tensor, "batch parts side side"]) -> Float[Tensor, "batch parts side side"]:
    """Cached heatmaps (0..255) as the networks take them (0..1)."""
    return heatmaps.float() / 255


def part_mirror() -> list[int]:
    """For each part the index of the part that it becomes in a mirrored picture."""
    return [PARTS.index(MIRROR[part]) for part in PARTS]
