"""Somebody else's face in a picture: the inner face of one photo moved onto the landmarks of another, and blended in.

    picture' = (1 − m)·picture + m·colour(warp(other, motion))

The motion is that of the landmarks (`landmark_flow.py`). Its colours get the mean and the spread of the picture's under
the mask, channel by channel (Reinhard et al. 2001). The mask m is an ellipse around brows, eyes, nose and mouth with a
soft edge. Everything is batched and cheap; with the landmarks of the picture, not the other's, the expression stays.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.pixel_grid import pixel_centres
from mien.model.warping.thin_plate_spline import resized_grid, warp

MOTION_PX = 32
"""The motion is computed on a grid of this side and interpolated."""
INNER = slice(17, 68)
"""Brows, nose, eyes and mouth, of the 68 common landmarks."""
RADIUS, EDGE = 2.0, 0.12
"""Of the ellipse, in standard deviations of these landmarks: how far it reaches, and how soft its edge is."""
_LEAST_SPREAD = 1e-3


def swapped_faces(
    images: Float[Tensor, "batch 3 size size"],
    points: Float[Tensor, "batch 68 2"],
    others: Float[Tensor, "batch 3 size size"],
    other_points: Float[Tensor, "batch 68 2"],
) -> Float[Tensor, "batch 3 size size"]:
    """Each image with the inner face of the other in the same row; points are in [-1, 1] over the images."""
    grid = face_grid(other_points, points, MOTION_PX)
    moved = warp(others, resized_grid(grid, images.shape[-1]).to(others.dtype))
    mask = inner_face(points, images.shape[-1]).to(images.dtype)
    mean, spread = _colours(images, mask)
    moved_mean, moved_spread = _colours(moved, mask)
    matched = (moved - moved_mean) * (spread / moved_spread) + mean
    return (images + mask * (matched - images)).clamp(-1, 1)


def inner_face(points: Float[Tensor, "batch 68 2"], side_px: int) -> Float[Tensor, "batch 1 side side"]:
    """1 at the pixels of the inner face, 0 far from it."""
    with torch.autocast(points.device.type, enabled=False):
        inner = points[:, INNER]
        middle = inner.mean(1, keepdim=True)
        spread = torch.einsum("bpi,bpj->bij", inner - middle, inner - middle) / inner.shape[1]
        spread = spread + _LEAST_SPREAD**2 * torch.eye(2, device=points.device, dtype=points.dtype)
        away = pixel_centres(side_px, points)[None] - middle
        distance = torch.einsum("bpi,bij,bpj->bp", away, torch.linalg.inv_ex(spread).inverse, away).clamp_min(0).sqrt()
        return torch.sigmoid((RADIUS - distance) / EDGE).unflatten(1, (1, side_px, side_px))


def _colours(
    images: Float[Tensor, "batch 3 size size"], mask: Float[Tensor, "batch 1 size size"]
) -> tuple[Float[Tensor, "batch 3 1 1"], Float[Tensor, "batch 3 1 1"]]:
    """Mean and spread of each channel under a mask."""
    share = mask / mask.sum((2, 3), keepdim=True)
    mean = (images * share).sum((2, 3), keepdim=True)
    return mean, ((images - mean).square() * share).sum((2, 3), keepdim=True).sqrt().clamp_min(_LEAST_SPREAD)
