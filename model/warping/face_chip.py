"""dlib's face chip (`landmarks/face_chip.py`), cut out so that gradients reach the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.device import constants, indices
from mien.model.graphs.dlib_weights import CHIP_PX
from mien.model.landmarks.face_chip import CHIP_POINTS, MEAN_X, MEAN_Y, PADDING
from mien.model.warping.similarity import plane, similarity

_CROP_PX = 200
"""Side of an aligned crop whose pixels are about as large as those of its chip."""


def chips(
    images: Float[Tensor, "batch 3 size size"], points: Float[Tensor, "batch 68 2"]
) -> Float[Tensor, "batch 3 150 150"]:
    """Aligned faces with values from 0 to 255, of images in [-1, 1] and their landmarks in [-1, 1] over the image.

    In float32, or float64 where the images are. What lies outside the image repeats its border. The landmarks get no
    gradient.
    """
    # Coordinates of half precision would be whole pixels off.
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    shrink = images.shape[-1] // _CROP_PX
    if shrink > 1:  # Sampling alone would skip pixels.
        images = F.avg_pool2d(images, shrink)
    grid = _sampling_grid(points.detach().to(images.dtype))
    sampled = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return (sampled + 1) * 127.5


def _sampling_grid(points: Float[Tensor, "batch 68 2"]) -> Float[Tensor, "batch 150 150 2"]:
    """For each pixel of a chip the position in the image, in the coordinates of the points."""
    face = plane(points[:, indices(CHIP_POINTS, points)])
    mean = torch.complex(constants(MEAN_X, points), constants(MEAN_Y, points))
    turn, shift = similarity(mean.expand_as(face), face)
    axis = (torch.arange(CHIP_PX, device=points.device, dtype=points.dtype) + 0.5) / CHIP_PX
    axis = axis * (1 + 2 * PADDING) - PADDING
    pixels = torch.complex(*torch.meshgrid(axis, axis, indexing="xy"))
    return torch.view_as_real(turn[..., None] * pixels + shift[..., None])
