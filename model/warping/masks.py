"""The parts of a face that carry the expression, as regions of the picture: the mouth, and both eyes.

A region is one box or several around landmarks, grown so that what opens or closes stays inside: a measure or a weight
of the loss taken there is of lips, teeth and lids, not of hair and background.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.device import indices
from mien.model.warping.pixel_grid import centres_along, pixel_centres

Region = Literal["mouth", "eyes"]

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
    pixels = pixel_centres(side_px, points)[None, None]
    inside = ((pixels >= boxes[..., :2]) & (pixels <= boxes[..., 2:])).all(-1).any(1)
    return inside.to(points.dtype).unflatten(1, (1, side_px, side_px))


OPENINGS = (
    (((60, 61, 62, 63, 64), (60, 67, 66, 65, 64)),),
    (((36, 37, 38, 39), (36, 41, 40, 39)), ((42, 43, 44, 45), (42, 47, 46, 45))),
)
"""Mouth, then eyes: of the 68 common landmarks, the upper and the lower edge of each opening, from left to right."""

_MIN_WIDTH = 1e-4
"""Of a segment's width: landmarks may lie above each other."""


def opening_maps(points: Float[Tensor, "batch 68 2"], side_px: int) -> Float[Tensor, "batch 2 side side"]:
    """How much of each pixel lies in the open mouth, and in an open eye: 0..1.

    Points are (x, y) in [-1, 1] over the picture. An opening is what lies between the lines through its upper and its
    lower landmarks, so it is exact for faces that are not turned upside down, crescents included.
    """
    along = centres_along(side_px, points)
    return torch.stack([torch.stack([_filled(points, edges, along) for edges in part]).sum(0) for part in OPENINGS], 1)


def _filled(
    points: Float[Tensor, "batch 68 2"], edges: tuple[tuple[int, ...], tuple[int, ...]], along: Float[Tensor, " side"]
) -> Float[Tensor, "batch side side"]:
    upper, lower = (points[:, indices(edge, points)] for edge in edges)
    half = 1 / len(along)
    left, right = upper[:, :1, 0], upper[:, -1:, 0]
    columns = torch.minimum(along + half, right) - torch.maximum(along - half, left)
    top, bottom = (_heights(edge, along)[:, None] for edge in (upper, lower))
    rows = torch.minimum(along[:, None] + half, bottom) - torch.maximum(along[:, None] - half, top)
    return rows.clamp_min(0) * columns.clamp_min(0)[:, None] / (2 * half) ** 2


def _heights(edge: Float[Tensor, "batch points 2"], along: Float[Tensor, " side"]) -> Float[Tensor, "batch side"]:
    """y of the line through the points, at each x."""
    start, step = edge[:, :-1, None], edge[:, 1:, None] - edge[:, :-1, None]
    share = ((along - start[..., 0]) / step[..., 0].clamp_min(_MIN_WIDTH)).clamp(0, 1)
    return edge[:, :1, 1] + (share * step[..., 1]).sum(1)
