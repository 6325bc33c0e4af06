"""What is open in a face: the inside of the mouth between its lips, the eyes between their lids.

A heatmap shows where lips and lids run, not which side of them is inside. These maps fill the openings, so a generator
knows at every pixel whether teeth, tongue or eyeball may be seen there, and how far a lid has come down.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from model.places import pixel_centres

OPENINGS = (
    (((60, 61, 62, 63, 64), (60, 67, 66, 65, 64)),),
    (((36, 37, 38, 39), (36, 41, 40, 39)), ((42, 43, 44, 45), (42, 47, 46, 45))),
)
"""Mouth, then eyes: of the 68 common landmarks, the upper and the lower edge of each opening, from left to right."""

_LEAST = 1e-4
"""Of a segment's width: landmarks may lie above each other."""


def opening_maps(points: Float[Tensor, "batch 68 2"], side_px: int) -> Float[Tensor, "batch 2 side side"]:
    """How much of each pixel lies in the open mouth, and in an open eye: 0..1.

    Points are (x, y) in [-1, 1] over the picture. An opening is what lies between the lines through its upper and its
    lower landmarks, so it is exact for faces that are not turned upside down, crescents included.
    """
    along = pixel_centres(side_px, points)[:side_px, 0]
    return torch.stack([torch.stack([_filled(points, edges, along) for edges in part]).sum(0) for part in OPENINGS], 1)


def _filled(
    points: Float[Tensor, "batch 68 2"], edges: tuple[tuple[int, ...], tuple[int, ...]], along: Float[Tensor, " side"]
) -> Float[Tensor, "batch side side"]:
    upper, lower = (points[:, list(edge)] for edge in edges)
    half = 1 / len(along)
    left, right = upper[:, :1, 0], upper[:, -1:, 0]
    columns = torch.minimum(along + half, right) - torch.maximum(along - half, left)
    top, bottom = (_heights(edge, along)[:, None] for edge in (upper, lower))
    rows = torch.minimum(along[:, None] + half, bottom) - torch.maximum(along[:, None] - half, top)
    return rows.clamp_min(0) * columns.clamp_min(0)[:, None] / (2 * half) ** 2


def _heights(edge: Float[Tensor, "batch points 2"], along: Float[Tensor, " side"]) -> Float[Tensor, "batch side"]:
    """y of the line through the points, at each x."""
    start, step = edge[:, :-1, None], edge[:, 1:, None] - edge[:, :-1, None]
    share = ((along - start[..., 0]) / step[..., 0].clamp_min(_LEAST)).clamp(0, 1)
    return edge[:, :1, 1] + (share * step[..., 1]).sum(1)
