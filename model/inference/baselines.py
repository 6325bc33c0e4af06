"""What needs no training, and what a generator has to beat: the source as it is, and the source pulled into shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.model.images.tensors import from_uint8, to_uint8
from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.thin_plate_spline import SMOOTHING, resized_grid, spline_grid, warp

TPS_SMOOTHING = SMOOTHING
"""λ of the baselines, the best of 0.0001 … 10 by L1 to the target photo. Fixed points along the border of the picture
(4, 8, 16 or 32) make it worse: the head moves too, and what surrounds it has to follow."""

MOTION_PX = 64
"""The motion is computed on a grid of this side at most, and interpolated, as the generator does: at 256 px it takes a
fourteenth of the time, and L1 to the target photo differs by 0.00001."""

Photos = UInt8[np.ndarray, "batch side side 3"]
Points = Float[np.ndarray, "batch 68 2"]


def spline_warped(photos: Photos, source_points: Points, target_points: Points, motion_px: int = MOTION_PX) -> Photos:
    """The photos warped by the thin-plate spline that takes their landmarks to the target's; nothing is drawn.

    Points are the 68 common landmarks in [-1, 1] over the picture; `motion_px` is the side of the motion's grid.
    """
    return _warped(photos, source_points, target_points, motion_px, partial(spline_grid, smoothing=TPS_SMOOTHING))


def face_warped(photos: Photos, source_points: Points, target_points: Points, motion_px: int = MOTION_PX) -> Photos:
    """The photos warped by the spline on the face, and by the motion of the head around it; nothing is drawn.

    It is the motion that the generator `motion` starts from (`model/warping/landmark_flow.py`). Hair, neck and
    background follow the jaw line, so it comes nearer to the target photo than the spline alone. Points are the 68
    common landmarks in [-1, 1] over the picture; `motion_px` is the side of the motion's grid.
    """
    return _warped(photos, source_points, target_points, motion_px, face_grid)


def _warped(
    photos: Photos,
    source_points: Points,
    target_points: Points,
    motion_px: int,
    motion: Callable[[Tensor, Tensor, int], Tensor],
) -> Photos:
    side_px = photos.shape[1]
    images = from_uint8(torch.from_numpy(photos.transpose(0, 3, 1, 2).copy()))
    source, target = (torch.from_numpy(np.asarray(points, np.float32)) for points in (source_points, target_points))
    grid = motion(source, target, min(side_px, motion_px))
    return to_uint8(warp(images, resized_grid(grid, side_px)))
