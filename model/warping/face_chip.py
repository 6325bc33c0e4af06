"""dlib's face chip, the input of dlib's embedding, cut out so that gradients reach the image.

dlib's `get_face_chip` (dlib/image_transforms/interpolation.h, `get_face_chip_details`; Boost licence) takes the
similarity transform from a mean face to the landmarks that expressions move least and samples the image there. dlib
counts positions of the mean face from the corner of the chip's pixels and landmarks from the centre of the image's
pixels, and turns both about the chip's centre; counted from the corner on both sides, as everywhere in this project,
that is one plain transform. Left out: dlib's scale of s image pixels per pixel of the chip becomes
(150·s − 1) / 149, 0.1 to 0.2 % less, and its chips are rounded down to whole values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.similarity import plane, similarity

CHIP_PX = 150
_PADDING = 0.25
"""Around the mean face, in its units."""
_CROP_PX = 200
"""Side of an aligned crop whose pixels are about as large as those of its chip."""

_POINTS = (*range(27, 55), *range(60, 65))
"""Nose, eyes and upper lip. dlib leaves out jaw, brows and lower lip."""
# fmt: off
_MEAN_X = (
    0.490127, 0.490127, 0.490127, 0.490127, 0.366880, 0.426036, 0.490127, 0.554217, 0.613373,
    0.121737, 0.187122, 0.265825, 0.334606, 0.260918, 0.182743,
    0.645647, 0.714428, 0.793132, 0.858516, 0.797510, 0.719335,
    0.254149, 0.340985, 0.428858, 0.490127, 0.551395, 0.639268, 0.726104,
    0.290379, 0.428096, 0.490127, 0.552157, 0.689874,
)
_MEAN_Y = (
    0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326,
    0.216423, 0.178758, 0.179852, 0.231733, 0.245099, 0.244077,
    0.231733, 0.179852, 0.178758, 0.216423, 0.244077, 0.245099,
    0.780233, 0.745405, 0.727388, 0.742578, 0.727388, 0.745405, 0.780233,
    0.784792, 0.778746, 0.785343, 0.778746, 0.784792,
)
# fmt: on
"""dlib's mean face at `_POINTS`: nose, left eye, right eye, outer and inner edge of the upper lip."""


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
    face = plane(points[:, _POINTS])
    mean = torch.complex(points.new_tensor(_MEAN_X), points.new_tensor(_MEAN_Y))
    turn, shift = similarity(mean.expand_as(face), face)
    axis = (torch.arange(CHIP_PX, device=points.device, dtype=points.dtype) + 0.5) / CHIP_PX
    axis = axis * (1 + 2 * _PADDING) - _PADDING
    pixels = torch.complex(*torch.meshgrid(axis, axis, indexing="xy"))
    return torch.view_as_real(turn[..., None] * pixels + shift[..., None])
