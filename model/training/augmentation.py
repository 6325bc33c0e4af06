"""Changes that leave a pair a pair: both photos and their keypoints get the same.

A generator soon learns a few dozen people by heart. Stretched, turned and shifted a little, each photo is new to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.model.device import on_device
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Sources
from mien.model.training.settings import AugmentationSettings
from mien.model.warping.colours import LUMA
from mien.model.warping.pixel_grid import centres_along


@dataclass(frozen=True)
class Changes:
    """What happens to each pair of a batch."""

    flips: Bool[Tensor, " batch"]
    placement: Float[Tensor, "batch 2 3"]
    """From positions in the new image to positions in the old one, in [-1, 1] over the crop."""
    colours: Float[Tensor, "batch 3 3"]
    light: Float[Tensor, "batch 3 1"]
    """New colours are `colours` · old ones + `light`."""

    def photos(self, images: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 size size"]:
        """Changed photos in [-1, 1]; what comes in from outside repeats the border.

        Sampled bicubically, as results are (`warping/composition.py`): a bilinear sample has two thirds of a photo's
        fine detail, and a generator that learns from softened photos need not be sharp.
        """
        mirrored = torch.where(self.flips[:, None], -self.placement[:, 0], self.placement[:, 0])
        moved = _moved(images, torch.stack([mirrored, self.placement[:, 1]], 1), "border", "bicubic").clamp(-1, 1)
        changed = torch.baddbmm(self.light, self.colours, moved.flatten(2))
        return changed.unflatten(2, moved.shape[2:]).clamp(-1, 1)

    def sources(self, sources: Sources) -> Sources:
        """All photos of a row changed alike, with their keypoints."""
        each, rows = self._repeated(sources.per_row), sources.present.shape
        keypoints = each.keypoints(sources.all_keypoints)
        photos = each.photos(sources.photos.flatten(0, 1)).unflatten(0, rows)
        heatmaps, points = (of_all.unflatten(0, rows) for of_all in keypoints)
        return Sources(photos, heatmaps, points, sources.present)

    def _repeated(self, times: int) -> Changes:
        return Changes(*(value.repeat_interleave(times, 0) for value in vars(self).values()))

    def keypoints(self, keypoints: KeypointInfo) -> KeypointInfo:
        """Keypoints of the changed photos."""
        flipped = keypoints.flipped(self.flips)
        back = torch.linalg.inv_ex(self.placement[:, :, :2]).inverse  # never singular: sides change by a share
        points = torch.einsum("bij,bpj->bpi", back, flipped.points - self.placement[:, None, :, 2])
        return KeypointInfo(_moved(flipped.heatmaps, self.placement, "zeros"), points)

    def of(self, rows: Int[np.ndarray, " rows"]) -> Changes:
        """Those of some of the pairs."""
        chosen = on_device(rows, self.flips.device)
        return Changes(*(value[chosen] for value in vars(self).values()))


def draw_changes(
    augmentation: AugmentationSettings, count: int, random: np.random.Generator, device: torch.device | str
) -> Changes:
    """Changes for `count` pairs."""
    values = random.uniform(-1, 1, (count, 7)) * [
        *[augmentation.stretch] * 2,
        *[augmentation.shift * 2] * 2,  # the side is 2 units long
        np.radians(augmentation.rotation_degrees),
        augmentation.contrast,
        augmentation.brightness,
    ]
    flips = random.random(count) < (0.5 if augmentation.flip else 0)
    grey = random.random(count) < augmentation.grey
    tint = 1 + augmentation.tint * random.uniform(-1, 1, (count, 3)) * ~grey[:, None]
    cos, sin = np.cos(values[:, 4]), np.sin(values[:, 4])
    width, height = 1 + values[:, 0], 1 + values[:, 1]
    placement = np.stack([cos * width, -sin * height, values[:, 2], sin * width, cos * height, values[:, 3]], 1)
    gain, offset = 1 + values[:, 5, None], values[:, 6, None]
    own = np.where(grey[:, None, None], np.array(LUMA)[None], np.eye(3))
    return Changes(
        on_device(flips, device),
        _tensor(placement.reshape(count, 2, 3), device),
        _tensor((gain * tint)[..., None] * own, device),
        _tensor((gain * (tint - 1) + offset)[..., None], device),  # a tint leaves -1, black
    )


def _moved(
    maps: Float[Tensor, "batch channels side side"],
    placement: Float[Tensor, "batch 2 3"],
    outside: str,
    mode: str = "bilinear",
) -> Float[Tensor, "batch channels side side"]:
    along = centres_along(maps.shape[-1], maps)[:, None]
    columns, rows = (along * placement[:, None, :, axis] for axis in (0, 1))
    grid = columns[:, None] + (rows + placement[:, None, :, 2])[:, :, None]
    return F.grid_sample(maps, grid, mode=mode, padding_mode=outside, align_corners=False)


def _tensor(values: np.ndarray, device: torch.device | str) -> Tensor:
    return on_device(values.astype(np.float32), device)
