"""Squares of a picture around mouth and eyes, pixel by pixel: nothing is interpolated, so nothing is lost."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.model.warping.pixel_grid import pixel_index

PATCHED = (slice(48, 68), slice(36, 42), slice(42, 48))
"""Of the 68 common landmarks, those of the mouth, of the left eye and of the right eye."""
PATCH_SHARE = 3 / 8
"""Side of a patch over that of the picture: a wide open mouth, an eye with its brow."""


def patch_side(side_px: int) -> int:
    """Of the patches of a picture of this side."""
    return round(PATCH_SHARE * side_px)


def patch_corners(points: Float[Tensor, "batch 68 2"], side_px: int) -> Int[Tensor, "batch regions 2"]:
    """First column and row of mouth, left eye and right eye where the landmarks (in [-1, 1]) have them.

    At the picture's edge a patch moves inside.
    """
    patch_px = patch_side(side_px)
    centres = torch.stack([points[:, part].detach().mean(1) for part in PATCHED], 1)
    return (pixel_index(centres, side_px) - patch_px // 2).clamp(0, side_px - patch_px)


def face_patches(
    images: Float[Tensor, "batch 3 size size"], corners: Int[Tensor, "batch regions 2"]
) -> Float[Tensor, "batch regions 3 patch patch"]:
    """Mouth, left eye and right eye of each picture."""
    along = torch.arange(patch_side(images.shape[-1]), device=images.device)
    columns, rows = (corners[..., axis, None] + along for axis in (0, 1))
    return torch.stack([_taken(images, rows[:, n], columns[:, n]) for n in range(len(PATCHED))], 1)


def _taken(
    images: Float[Tensor, "batch 3 size size"], rows: Int[Tensor, "batch patch"], columns: Int[Tensor, "batch patch"]
) -> Float[Tensor, "batch 3 patch patch"]:
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    return images[batch, :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
