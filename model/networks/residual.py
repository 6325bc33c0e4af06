"""The patent's plain generator: an encoder-decoder of convolutions and residual blocks.

    128² image ── unshuffle ─┐
    L_s, L_t ─────────────────┴─ 32²: width ──────────── skip ──────────── 32²: width ── 64²: width/2 ── 128² image
                                    └─ 16²: 2·width ─── skip ─── 16²: 2·width ─┘
                                          └─ 8²: 3·width, residual blocks ─┘

Layers at full resolution cost most and give least: patches of 4 × 4 pixels become channels on the way in
(pixel-unshuffle) and channels become pixels on the way out (pixel-shuffle; Shi et al. 2016).

The decoder draws an image and a mask; where the mask is open, the source shows through. Hair, glasses and skin that
stay where they are need not be drawn anew. `keeps_source=False` is the form without it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Generated, Generator, Sources
from mien.model.networks.blocks import ResidualBlock, activate, conv, folded_heatmaps
from mien.model.networks.config import GeneratorConfig
from mien.model.warping.colours import coloured_as
from mien.model.warping.picture_size import at_size


class Up(nn.Module):
    """Doubles the side, adds what the encoder saw at that size and works it in."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.widen = conv(in_channels, out_channels * 4, kernel_px=1)
        self.block = ResidualBlock(out_channels)

    def forward(
        self, x: Float[Tensor, "batch deep side side"], skip: Float[Tensor, "batch wide double double"]
    ) -> Float[Tensor, "batch wide double double"]:
        """Twice the side of x, the shape of skip."""
        return self.block(F.pixel_shuffle(self.widen(activate(x)), 2) + skip)


class ResidualGenerator(Generator):
    """See the module's figure; sizes there are those of a 128 px generator."""

    ENDS = ("stem", "draw")
    COMBINES = False

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        width = config.channels
        deep, deepest = 2 * width, 3 * width
        self.stem = conv(3 * config.patch_px**2 + 2 * 4 * config.parts, width)
        self.encode = ResidualBlock(width)
        self.down = conv(width, deep, stride=2)
        self.encode_deep = ResidualBlock(deep)
        self.down_deep = conv(deep, deepest, stride=2)
        self.core = nn.Sequential(*(ResidualBlock(deepest) for _ in range(config.blocks)))
        self.up_deep = Up(deepest, deep)
        self.up = Up(deep, width)
        self.widen = conv(width, 2 * width, kernel_px=1)
        layers = 4 if config.keeps_source else 3
        self.draw = conv(width // 2, layers * (config.patch_px // 2) ** 2, gain=0.1)

    def forward(self, sources: Sources, target: KeypointInfo, side_px: int | None = None) -> Generated:
        """The person of the first source with the expression of `target`; see `Generator.forward`.

        The others are not looked at. What it draws is enlarged where a larger image is asked for.
        """
        source = at_size(sources.photo, self.config.size_px)
        core_px = self.config.core_px
        heatmaps = (folded_heatmaps(keypoints.heatmaps, core_px) for keypoints in (sources.keypoints, target))
        x = torch.cat([F.pixel_unshuffle(source, self.config.patch_px), *heatmaps], dim=1)
        wide = self.encode(self.stem(x))
        deep = self.encode_deep(self.down(activate(wide)))
        deepest = self.core(self.down_deep(activate(deep)))
        x = self.up(self.up_deep(deepest, deep), wide)
        x = F.pixel_shuffle(self.widen(activate(x)), 2)
        layers = F.pixel_shuffle(self.draw(activate(x)), self.config.patch_px // 2)
        drawn = torch.tanh(layers[:, :3])
        image = blended(source, drawn, layers[:, 3:]) if self.config.keeps_source else drawn
        image = coloured_as(image, sources.photos[:, :1], sources.present[:, :1])
        return Generated(at_size(image, side_px or self.config.size_px))


def blended(
    source: Float[Tensor, "batch 3 size size"],
    drawn: Float[Tensor, "batch 3 size size"],
    logits: Float[Tensor, "batch 1 size size"],
) -> Float[Tensor, "batch 3 size size"]:
    """m · I_s + (1 − m) · drawn with m = sigmoid(logits): a residual connection from the source to the result."""
    mask = torch.sigmoid(logits)
    return mask * source + (1 - mask) * drawn
