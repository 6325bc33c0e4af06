"""The result put together at the size that is asked for, from what a network found at its own size.

    Î = Σᵢ mᵢ · warp(Iᵢ, motionᵢ) + drawn

Motion and masks are smooth, and are interpolated. Each source is sampled once, bicubically (Keys 1981) and from its own
pixels: a bilinear sample between four pixels is their mean, which takes a third of a photo's detail. What is smaller
than the sources is put together at their size and averaged over areas.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.picture_size import at_size, smooth_at_size
from mien.model.warping.thin_plate_spline import resized_grid

FINEST = 2
"""Sources are sampled at no more than so many times the side of the result."""


def compose(
    photos: Float[Tensor, "batch sources 3 source_side source_side"],
    grids: Float[Tensor, "batch sources fine fine 2"],
    masks: Float[Tensor, "batch sources 1 size size"],
    drawn: Float[Tensor, "batch 3 size size"],
    side_px: int,
) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch sources 3 side side"]]:
    """The image, clamped to [-1, 1], and each source moved; both of `side_px`."""
    rows = photos.shape[:2]
    each = at_size(photos.flatten(0, 1), min(photos.shape[-1], FINEST * side_px))
    sharp_px = max(side_px, each.shape[-1])
    grid = resized_grid(grids.flatten(0, 1), sharp_px)
    moved = F.grid_sample(each, grid, mode="bicubic", padding_mode="border", align_corners=False)
    moved = at_size(moved.clamp(-1, 1), side_px).unflatten(0, rows)
    shown = smooth_at_size(masks.flatten(0, 1), side_px).unflatten(0, rows)
    return ((shown * moved).sum(1) + smooth_at_size(drawn, side_px)).clamp(-1, 1), moved
