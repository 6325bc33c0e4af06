"""The parts of a face that carry its expression, as places in the picture: the mouth, and both eyes.

A region is one box or several around landmarks, grown so that what opens or closes stays inside: a measure or a weight
of the loss taken there is of lips, teeth and lids, not of hair and background.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from model.places import pixel_centres

Region = Literal["mouth", "eyes"]
REGIONS: tuple[Region, ...] = get_args(Region)

_PARTS: dict[Region, tuple[slice, ...]] = {"mouth": (slice(48, 68),), "eyes": (slice(36, 42), slice(42, 48))}
"""Of the 68 common landmarks, those inside each box: the lips; the left eye, the right eye."""

_GROWTH: dict[Region, float] = {"mouth": 0.25, "eyes": 0.4}
"""On each side, as a share of the box's width. An eye's box is flat, and nearly a line where the eye is closed."""


def region_boxes(points: Float[Tensor, "batch 68 2"], region: Region) -> Float[Tensor, "batch boxes 4"]:
    """The boxes of a region (left, top, right, bottom), in the unit of the points: one for the mouth, two for eyes."""
    return torch.stack([_box(points[:, part], _GROWTH[region]) for part in _PARTS[region]], dim=1)


def _box(points: Float[Tensor, "batch points 2"], growth: float) -> Float[Tensor, "batch 4"]:
    low, high = points.amin(1), points.amax(1)
    margin = growth * (high - low)[:, :1]
    return torch.cat([low - margin, high + margin], dim=1)


def region_mask(
    points: Float[Tensor, "batch 68 2"], side_px: int, region: Region
) -> Float[Tensor, "batch 1 side side"]:
    """1 at the pixels of a square picture whose centre lies in the region, else 0.

    Points are the 68 common landmarks, (x, y) in [-1, 1] over the picture; the mask has their type and device. It is
    all 0 where the region lies outside the picture.
    """
    boxes = region_boxes(points, region)[:, :, None]
    places = pixel_centres(side_px, points)[None, None]
    inside = ((places >= boxes[..., :2]) & (places <= boxes[..., 2:])).all(-1).any(1)
    return inside.to(points.dtype).unflatten(1, (1, side_px, side_px))
