"""Pixel positions of a picture in [-1, 1], as torch's samplers count them (align_corners=False)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def centres_along(side_px: int, like: Tensor) -> Float[Tensor, " side"]:
    """Of the pixels of one row or column."""
    return (torch.arange(side_px, device=like.device, dtype=like.dtype) + 0.5) * (2 / side_px) - 1


def pixel_centres(side_px: int, like: Tensor) -> Float[Tensor, "pixels 2"]:
    """(x, y) of the pixels' centres of a square picture, row by row, on the device and of the type of `like`."""
    along = centres_along(side_px, like)
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def squared_distances(points: Float[Tensor, "batch points 2"], side_px: int) -> Float[Tensor, "batch pixels points"]:
    """Of each pixel of a square picture, row by row, to each point: (x, y) in [-1, 1] over it."""
    along = centres_along(side_px, points)[:, None]
    across, down = ((along - points[:, None, :, axis]).square() for axis in (0, 1))  # by column, by row
    return (across[:, None] + down[:, :, None]).flatten(1, 2)


def pixel_grid(like: Float[Tensor, "batch channels side side"]) -> Float[Tensor, "side side 2"]:
    """The backward flow that moves nothing, at the size of `like`."""
    side_px = like.shape[-1]
    return pixel_centres(side_px, like).unflatten(0, (side_px, side_px))


def pixel_index(points: Float[Tensor, "*batch 2"], side_px: int) -> Int[Tensor, "*batch 2"]:
    """The pixel (column, row) of a square picture that each point in [-1, 1] lies in; outside, the nearest."""
    return ((points + 1) * (side_px / 2)).floor().clamp(0, side_px - 1).long()
