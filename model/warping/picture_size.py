"""Pictures at another size."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def at_size(
    images: Float[Tensor, "batch channels side side"], side_px: int
) -> Float[Tensor, "batch channels size size"]:
    """Averaged over areas where they shrink, so that nothing aliases; bicubic where they grow."""
    if images.shape[-1] == side_px:
        return images
    if images.shape[-1] > side_px:
        return F.interpolate(images, size=(side_px, side_px), mode="area")
    return F.interpolate(images, size=(side_px, side_px), mode="bicubic", align_corners=False).clamp(-1, 1)


def smooth_at_size(
    maps: Float[Tensor, "batch channels side side"], side_px: int
) -> Float[Tensor, "batch channels size size"]:
    """Between their values, so that masks that add up to at most 1 still do."""
    if maps.shape[-1] > side_px:
        return F.interpolate(maps, size=(side_px, side_px), mode="area")
    return F.interpolate(maps, size=(side_px, side_px), mode="bilinear", align_corners=False)


def parted(
    images: Float[Tensor, "batch channels side side"],
) -> tuple[Float[Tensor, "batch channels half half"], Float[Tensor, "batch channels side side"]]:
    """Pictures of half the side, and the detail that those do not show (Burt and Adelson 1983)."""
    coarse = F.avg_pool2d(images, 2)
    shown = F.interpolate(coarse, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return coarse, images - shown
