"""What needs no training, and what a generator has to beat: the source as it is, and the source pulled into shape."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mien.model.images.tensors import from_uint8, to_uint8
from mien.model.warping.thin_plate_spline import SMOOTHING, spline_grid, warp

TPS_SMOOTHING = SMOOTHING
"""λ of the baseline, the best of 0.0001 … 10 by L1 to the target photo. Fixed points along the border of the picture
(4, 8, 16 or 32) make it worse: the head moves too, and what surrounds it has to follow."""


def spline_warped(
    photos: UInt8[np.ndarray, "batch side side 3"],
    source_points: Float[np.ndarray, "batch 68 2"],
    target_points: Float[np.ndarray, "batch 68 2"],
) -> UInt8[np.ndarray, "batch side side 3"]:
    """The photos warped by the thin-plate spline that takes their landmarks to the target's; nothing is drawn.

    Points are the 68 common landmarks in [-1, 1] over the picture.
    """
    images = from_uint8(torch.from_numpy(photos.transpose(0, 3, 1, 2).copy()))
    source, target = (torch.from_numpy(np.asarray(points, np.float32)) for points in (source_points, target_points))
    return to_uint8(warp(images, spline_grid(source, target, photos.shape[1], TPS_SMOOTHING)))
