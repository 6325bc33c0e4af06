"""Building blocks that the networks share.

None of them normalises over a batch or a picture: at the batch sizes a CPU allows, batch statistics are noise, and
instance statistics wipe out brightness, which is part of a person's look. What enters a residual branch is levelled
pixel by pixel instead (Karras et al. 2018). Without that, a few updates in one direction let the features of a tower of
blocks grow a thousandfold, the drawn layer saturates, and no gradient leads back.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SLOPE = 0.2
"""Of the leaky rectifiers."""
EPSILON = 1e-4
"""Of `level`: where nothing is seen, nothing is to be blown up."""
HEATMAP_GAIN = 4.0
"""Heatmaps are zero nearly everywhere. With this gain they stand beside an image with about the same variance, and a
discriminator learns to read them several times sooner."""


def conv(in_channels: int, out_channels: int, kernel_px: int = 3, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A convolution that keeps the size (at stride 1), initialised after He et al. 2015 and scaled by `gain`."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_px, stride, padding=kernel_px // 2)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]  # made with a bias
    layer.weight.data *= gain
    return layer


def activate(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """Leaky rectifier."""
    return F.leaky_relu(x, SLOPE)


def level(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """Each pixel's features divided by their root mean square: x / √(mean(x²) + ε)."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(level(x))))), close to the identity at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels, gain=0.1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape as x."""
        return x + self.second(activate(self.first(activate(level(x)))))


def resize_heatmaps(
    heatmaps: Float[Tensor, "batch parts side side"], side_px: int
) -> Float[Tensor, "batch parts size size"]:
    """Heatmaps at another size: averaged over areas where they shrink, bilinear where they grow."""
    if heatmaps.shape[-1] == side_px:
        return heatmaps
    if heatmaps.shape[-1] > side_px:
        return F.interpolate(heatmaps, size=(side_px, side_px), mode="area")
    return F.interpolate(heatmaps, size=(side_px, side_px), mode="bilinear", align_corners=False)


def folded_heatmaps(
    heatmaps: Float[Tensor, "batch parts side side"], side_px: int
) -> Float[Tensor, "batch channels size size"]:
    """Heatmaps for a grid of `side_px`, at twice its resolution: 2 × 2 pixels of each part become four channels."""
    return F.pixel_unshuffle(resize_heatmaps(heatmaps, 2 * side_px), 2) * HEATMAP_GAIN
