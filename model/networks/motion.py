"""The motion generator: the source moved to the target's landmarks, and drawn where it does not show what is asked.

    source ── motion(L_s → L_t) ── moved source ─┐                                   sizes of a 128 px generator
    L_s, L_t, openings, motion ──────────────────┴─ 64²: width ──────────── skip ───── 64² ── flow, mask, layer 128²
                                                       └─ 32²: 2·width ──── skip ── 32² ─┘
                                                            └─ 16²: 5·width ─ skip ─ 16² ─┘ flow
                                                                  └─ 8²: 8·width, residual blocks ─┘

    Î_t = m · warp(I_s, motion + residual flow) + drawn

The landmarks (`warping/landmark_flow.py`) give most of the motion in closed form. An encoder-decoder of convolutions
and residual blocks looks at the source so moved. From the coarsest scale to the finest its decoder adds to the motion
what the landmarks do not tell, and takes the encoder's features along; at last it draws a layer (teeth, lids, folds)
and the mask m under it. The layer comes with its own weight (premultiplied, as in compositing: Porter and Duff 1984),
so it can also shade what is shown through the mask, and learns sooner than behind a mask that is shut to it.

It is the patent's G(I_s, L_s, L_t): the layer alone would be the patent's plain generator.

Layers at full resolution cost most and give least: the finest grid has half the side, patches of 2 × 2 pixels become
channels on the way in (pixel-unshuffle) and channels become pixels on the way out (pixel-shuffle; Shi et al. 2016).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Generated, Generator, Motion
from mien.model.networks.blocks import HEATMAP_GAIN, ResidualBlock, activate, conv, level, resize_heatmaps
from mien.model.networks.config import GeneratorConfig
from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.masks import OPENINGS, opening_maps
from mien.model.warping.pixel_grid import pixel_grid
from mien.model.warping.thin_plate_spline import resized_grid, warp

MOTION_PX = 32
"""The landmarks' motion is computed on a grid of this side and interpolated: it is smooth between landmarks."""
CHANNELS = (1, 2, 5, 8)
"""Of the four grids, in multiples of the config's width. What is deep costs little and knows most."""
MAX_FLOW = 0.3
"""No head can add more than this to the motion, in units of the crop's half side: what lies farther away is to be
drawn. Without a bound a training that is thrown off sends the flow out of the picture, from where it never returns."""
FLOW_GAIN = 1 / 3
"""So that heads give flows of a tenth of the crop's half side as easily as images their contrasts."""


class Down(nn.Module):
    """Halves the side, then residual blocks."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int) -> None:
        super().__init__()
        self.down = conv(in_channels, out_channels, stride=2)
        self.blocks = nn.Sequential(*(ResidualBlock(out_channels) for _ in range(blocks)))

    def forward(self, x: Float[Tensor, "batch wide double double"]) -> Float[Tensor, "batch deep side side"]:
        """Half the side of x."""
        return self.blocks(self.down(activate(level(x))))


class Up(nn.Module):
    """Doubles the side and works in what the encoder saw there, taken along the flow found so far."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int) -> None:
        super().__init__()
        self.narrow = conv(in_channels, out_channels, kernel_px=1)
        self.blocks = nn.Sequential(*(ResidualBlock(out_channels) for _ in range(blocks)))

    def forward(
        self,
        x: Float[Tensor, "batch deep side side"],
        skip: Float[Tensor, "batch wide double double"],
        flow: Float[Tensor, "batch 2 flow_side flow_side"] | None,
    ) -> Float[Tensor, "batch wide double double"]:
        """Twice the side of x."""
        if flow is not None:
            skip = warp(skip, _added(pixel_grid(skip), flow).to(skip.dtype))
        return self.blocks(_doubled(self.narrow(activate(level(x)))) + skip)


class MotionGenerator(Generator):
    """See the module's figure."""

    ENDS = ("stem", "flow", "draw")

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        fold = config.size_px // config.fine_px
        fine, wide, deep, deepest = (times * config.channels for times in CHANNELS)
        self.stem = conv(3 * fold**2 + 2 * config.parts + len(OPENINGS) + 2, fine)
        self.encode = Down(fine, wide, 1)
        self.encode_deep = Down(wide, deep, 1)
        self.core = Down(deep, deepest, config.blocks)
        self.up_deep = Up(deepest, deep, 1)
        self.flow = conv(deep, 2, gain=0.1)
        self.up = Up(deep, wide, 1)
        self.up_fine = Up(wide, fine, 0)
        self.draw = conv(fine, 2 + 4 * fold**2, gain=0.1)

    def forward(
        self, source: Float[Tensor, "batch 3 size size"], source_keypoints: KeypointInfo, target_keypoints: KeypointInfo
    ) -> Generated:
        """The person of `source` (in [-1, 1]) with the expression of `target_keypoints`."""
        size_px, fine_px = self.config.size_px, self.config.fine_px
        motion = face_grid(source_keypoints.points, target_keypoints.points, MOTION_PX)
        moved = warp(source, resized_grid(motion, size_px))
        fine = self.stem(self._seen(moved, motion, source_keypoints, target_keypoints))
        wide = self.encode(fine)
        deep = self.encode_deep(wide)
        x = self.up_deep(self.core(deep), deep, None)
        flow = _bounded(self.flow(activate(level(x))))
        x = self.up_fine(self.up(x, wide, flow), fine, flow)
        layers = self.draw(activate(level(x))).float()
        flow = _resized(flow.float(), fine_px) + _bounded(layers[:, :2])
        grid = _added(resized_grid(motion, fine_px), flow)
        warped = warp(source, resized_grid(grid, size_px))
        layers = F.pixel_shuffle(layers[:, 2:], size_px // fine_px)
        drawn, mask = torch.tanh(layers[:, :3]), torch.sigmoid(layers[:, 3:])
        image = (mask * warped + drawn).clamp(-1, 1)
        return Generated(image, Motion(grid=grid, residual=flow, mask=mask, warped=warped, drawn=drawn))

    def _seen(
        self,
        moved: Float[Tensor, "batch 3 size size"],
        motion: Float[Tensor, "batch side side 2"],
        source: KeypointInfo,
        target: KeypointInfo,
    ) -> Float[Tensor, "batch channels fine fine"]:
        """What the encoder sees: the moved source, both heatmaps, what is to be open, how far the landmarks move."""
        fine_px = self.config.fine_px
        moves = _resized((motion - pixel_grid(motion.permute(0, 3, 1, 2))).permute(0, 3, 1, 2), fine_px)
        heatmaps = [resize_heatmaps(keypoints.heatmaps, fine_px) * HEATMAP_GAIN for keypoints in (source, target)]
        folded = F.pixel_unshuffle(moved, self.config.size_px // fine_px)
        return torch.cat([folded, *heatmaps, opening_maps(target.points, fine_px), moves / MAX_FLOW], dim=1)


def _doubled(x: Float[Tensor, "batch channels side side"]) -> Float[Tensor, "batch channels double double"]:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _resized(x: Float[Tensor, "batch channels side side"], side_px: int) -> Float[Tensor, "batch channels size size"]:
    return F.interpolate(x, size=(side_px, side_px), mode="bilinear", align_corners=False)


def _added(
    grid: Float[Tensor, "*batch side side 2"], flow: Float[Tensor, "batch 2 flow_side flow_side"]
) -> Float[Tensor, "batch side side 2"]:
    """A backward flow with another on top, which is given as channels and at any size."""
    return grid + _resized(flow, grid.shape[-2]).permute(0, 2, 3, 1)


def _bounded(x: Float[Tensor, "batch 2 side side"]) -> Float[Tensor, "batch 2 side side"]:
    return MAX_FLOW * torch.tanh(FLOW_GAIN * x)
