"""Landmarks that let gradients through to the picture: what the generated face shows, told in the terms of what was
asked for.

A small encoder-decoder gives a map for each landmark; the landmark is the mean position under the map's softmax (Sun et
al. 2018, Integral Human Pose Regression). It is trained here, on the photos of a training and the landmarks that the
detector found in them: no weights of a detector are needed, and none are stored with a generator.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.networks.blocks import ResidualBlock, activate, conv, level
from mien.model.warping.picture_size import at_size
from mien.model.warping.pixel_grid import pixel_centres

COMMON = 68
PATCH_PX = 4


class LandmarkNetwork(nn.Module):
    """The 68 common landmarks of a face that fills an aligned crop."""

    def __init__(self, size_px: int, width: int = 32) -> None:
        super().__init__()
        self.size_px = size_px
        self.stem = conv(3 * PATCH_PX**2, 2 * width)
        self.down = conv(2 * width, 3 * width, stride=2)
        self.down_deep = conv(3 * width, 4 * width, stride=2)
        self.deep = ResidualBlock(4 * width)
        self.up_deep = conv(4 * width, 3 * width, kernel_px=1)
        self.up = conv(3 * width, 2 * width, kernel_px=1)
        self.work = ResidualBlock(2 * width)
        self.maps = conv(2 * width, COMMON, kernel_px=1, gain=0.1)

    def forward(self, images: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch 68 2"]:
        """Landmarks as (x, y) in [-1, 1] over the picture, of images in [-1, 1]."""
        fine = self.stem(F.pixel_unshuffle(at_size(images, self.size_px), PATCH_PX))
        wide = self.down(activate(level(fine)))
        deep = self.deep(self.down_deep(activate(level(wide))))
        x = _doubled(self.up_deep(activate(level(deep)))) + wide
        x = self.work(_doubled(self.up(activate(level(x)))) + fine)
        maps = self.maps(activate(level(x))).float()
        likely = maps.flatten(2).softmax(-1)
        return likely @ pixel_centres(maps.shape[-1], likely)


def _doubled(x: Float[Tensor, "batch channels side side"]) -> Float[Tensor, "batch channels double double"]:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
