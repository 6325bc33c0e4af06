"""The motion generator: sources moved to the target's landmarks, and drawn where none of them shows what is asked.

    source i ── motion(L_i → L_t) ── moved source ─┐                                sizes of a 128 px generator
    L_i, L_t, openings, motion ────────────────────┴─ 64²: width ────── skip ─────── 64² ── flow i, mask i │ layer
                                                         └─ 32²: 2·width ── skip ── 32² ─┘
                                                              └─ 16²: 5·width ─ skip ─ 16² ─┘ flow i
                                                                    └─ 8²: 8·width, residual blocks ─┘

    Î_t = Σᵢ mᵢ · warp(Iᵢ, motionᵢ + residual flowᵢ) + drawn        Σᵢ mᵢ ≤ 1

The landmarks (`warping/landmark_flow.py`) give most of the motion in closed form. One encoder of convolutions and
residual blocks looks at each source so moved. What it sees of them is mixed, with weights that it rates each source by
at each position, and goes through the deepest grid once. From the coarsest scale to the finest the decoder adds to the
motion of each source what the landmarks do not tell, and takes the encoder's features along; at last it draws a layer
(teeth, lids, folds) and the masks mᵢ under it: a softmax over the sources, and one more share that shows none. The
layer comes with its own weight (premultiplied, as in compositing: Porter and Duff 1984), so it can also shade what is
shown through a mask, and learns sooner than behind masks that are shut to it.

It is the patent's G(I_s, L_s, L_t), of one source or several: the layer alone would be the patent's plain generator.
The image is put together at the size that is asked for, from the sources' own pixels (`warping/composition.py`). It is
the first source where nothing else is asked for (`warping/restraint.py`), and has no colours where the photos have none
(`warping/colours.py`).

Layers at full resolution cost most and give least: the finest grid has half the side, patches of 2 × 2 pixels become
channels on the way in (pixel-unshuffle) and channels become pixels on the way out (pixel-shuffle; Shi et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mien.model.device import constants
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Generated, Generator, Motion, Sources
from mien.model.networks.blocks import HEATMAP_GAIN, ResidualBlock, activate, conv, level, resize_heatmaps
from mien.model.networks.config import GeneratorConfig
from mien.model.warping.colours import coloured_as
from mien.model.warping.composition import compose
from mien.model.warping.gamut import within_gamut
from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.masks import OPENINGS, opening_maps
from mien.model.warping.picture_size import at_size
from mien.model.warping.pixel_grid import pixel_grid
from mien.model.warping.restraint import restrained
from mien.model.warping.thin_plate_spline import resized_grid, warp

MOTION_PX = 32
"""The landmarks' motion is computed on a grid of this side and interpolated: it is smooth between landmarks."""
CHANNELS = (1, 2, 5, 8)
"""Of the four grids, in multiples of the config's width. What is deep costs little and knows most."""
MAX_FLOW = 0.3
"""No head can add more than this to the motion, in units of the crop's half side: what lies farther away is to be
drawn. Without a bound a training that is thrown off sends the flow out of the picture, from where it never returns."""
FARTHER = 300.0
"""Of `precedence`: a source that has to be moved a pixel of 128 farther than another one counts a hundredth of it."""
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
        return self.merge(x, skip if flow is None else self.moved(skip, flow))

    def merge(
        self, x: Float[Tensor, "batch deep side side"], skip: Float[Tensor, "batch wide double double"]
    ) -> Float[Tensor, "batch wide double double"]:
        """The same with what the encoder saw moved already."""
        return self.blocks(self.widened(x) + skip)

    def widened(self, x: Float[Tensor, "batch deep side side"]) -> Float[Tensor, "batch wide double double"]:
        """Twice the side, the channels of what the encoder saw there."""
        return _doubled(self.narrow(activate(level(x))))

    @staticmethod
    def moved(
        skip: Float[Tensor, "batch wide side side"], flow: Float[Tensor, "batch 2 flow_side flow_side"]
    ) -> Float[Tensor, "batch wide side side"]:
        """Along the flow."""
        return warp(skip, _added(pixel_grid(skip), flow).to(skip.dtype))


class MotionGenerator(Generator):
    """See the module's figure."""

    ENDS = ("stem", "flow", "show", "draw")
    COMBINES = True

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        fold = config.fold_px
        fine, wide, deep, deepest = (times * config.channels for times in CHANNELS)
        self.stem = conv(3 * fold**2 + 2 * config.parts + len(OPENINGS) + 2, fine)
        self.encode = Down(fine, wide, 1)
        self.encode_deep = Down(wide, deep, 1)
        self.core = Down(deep, deepest, config.blocks)
        self.up_deep = Up(deepest, deep, 1)
        self.flow = conv(deep, 2, gain=0.1)
        self.up = Up(deep, wide, 1)
        self.up_fine = Up(wide, fine, 0)
        self.show = conv(fine, 2 + fold**2, gain=0.1)
        self.draw = conv(fine, 3 * fold**2, gain=0.1)
        self.rate_deep, self.rate = _rating(deep), _rating(deep)

    def forward(self, sources: Sources, target: KeypointInfo, side_px: int | None = None) -> Generated:
        """The person of the sources with the expression of `target`; see `Generator.forward`."""
        size_px, fine_px, each = self.config.size_px, self.config.fine_px, sources.per_row
        asked = target.repeated(each)
        motion = face_grid(sources.all_keypoints.points, asked.points, MOTION_PX)
        fine = self.stem(self._seen(at_size(sources.photos.flatten(0, 1), size_px), motion, sources, asked))
        wide = self.encode(fine)
        deep = self.encode_deep(wide)

        # What all sources show goes through the core once; each source has its own flow.
        core = self.core(mixed(deep, self.rate_deep(activate(level(deep))), sources.present))
        deep = self.up_deep(core.repeat_interleave(each, 0), deep, None)
        features = activate(level(deep))
        flow, rates = _bounded(self.flow(features)), self.rate(features)
        x = mixed(deep, rates, sources.present)
        x = self.up.merge(x, mixed(self.up.moved(wide, flow), rates, sources.present))

        # The finest grid: again what all show, for the layer; and what each shows, for its flow and mask.
        x, fine = self.up_fine.widened(x), self.up_fine.moved(fine, flow)
        drawn = self.draw(activate(level(x + mixed(fine, rates, sources.present)))).float()
        shown = self.show(activate(level(x.repeat_interleave(each, 0) + fine))).float()
        flow = _resized(flow.float(), fine_px) + _bounded(shown[:, :2])
        grid = _added(resized_grid(motion, fine_px), flow)

        fold, rows = self.config.fold_px, sources.present.shape
        grid, flow = grid.unflatten(0, rows), flow.unflatten(0, rows)
        told = precedence(motion.unflatten(0, rows), sources.present).flatten(0, 1)
        masks = shares((unfolded(shown[:, 2:], fold) + _resized(told, size_px)).unflatten(0, rows), sources.present)
        drawn = torch.tanh(unfolded(drawn, fold))
        image, warped = compose(sources.photos, grid, masks, drawn, side_px or size_px)
        image = within_gamut(image, target.points, sources.photos, sources.points, sources.present)
        of_first = motion.unflatten(0, rows)[:, 0]
        image = restrained(image, sources.photo, of_first, sources.keypoints, target)
        image = coloured_as(image, sources.photos, sources.present)
        return Generated(image, Motion(grid=grid, residual=flow, masks=masks, warped=warped, drawn=drawn))

    def _seen(
        self,
        photos: Float[Tensor, "faces 3 size size"],
        motion: Float[Tensor, "faces side side 2"],
        sources: Sources,
        asked: KeypointInfo,
    ) -> Float[Tensor, "faces channels fine fine"]:
        """What the encoder sees: the moved source, both heatmaps, what is to be open, how far the landmarks move."""
        size_px, fine_px = self.config.size_px, self.config.fine_px
        moved = warp(photos, resized_grid(motion, size_px))
        moves = _resized((motion - pixel_grid(motion.permute(0, 3, 1, 2))).permute(0, 3, 1, 2), fine_px)
        keypoints = sources.all_keypoints, asked
        heatmaps = [resize_heatmaps(each.heatmaps, fine_px) * HEATMAP_GAIN for each in keypoints]
        folded = F.pixel_unshuffle(moved, self.config.fold_px)
        return torch.cat([folded, *heatmaps, opening_maps(asked.points, fine_px), moves / MAX_FLOW], dim=1)

    @staticmethod
    def upgraded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of generators with one source: one layer gave flow, drawn layer and mask, and there was nothing to rate."""
        new = dict(weights)
        if "rate.weight" in new:
            return new
        for what in ("weight", "bias"):
            flow, drawn, mask = _split(new[f"draw.{what}"])
            new[f"draw.{what}"], new[f"show.{what}"] = drawn, torch.cat([flow, mask])
        for layer in ("rate", "rate_deep"):
            deep = new["flow.weight"].shape[1]
            new[f"{layer}.weight"] = torch.zeros(1, deep, 1, 1)
        return new


def _rating(channels: int) -> nn.Conv2d:
    """How much each position of a source is worth beside the other sources: at first all alike. What all sources get
    on top makes no difference, so there is no bias."""
    layer = nn.Conv2d(channels, 1, kernel_size=1, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


def _split(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    folded = (len(weights) - 2) // 4
    flow, drawn, mask = weights.split([2, 3 * folded, folded])
    return flow, drawn, mask


def mixed(
    features: Float[Tensor, "faces channels side side"],
    rates: Float[Tensor, "faces 1 rate_side rate_side"],
    present: Bool[Tensor, "batch sources"],
) -> Float[Tensor, "batch channels side side"]:
    """One row's features of the features of its sources: Σᵢ wᵢ·xᵢ, w = softmax of the rates over those present."""
    if present.shape[1] == 1:
        return features
    weights = _absent_never(rates.float().unflatten(0, present.shape), present).softmax(1)
    weights = _resized(weights.flatten(0, 1), features.shape[-1]).unflatten(0, present.shape)
    return (weights.to(features.dtype) * features.unflatten(0, present.shape)).sum(1)


def precedence(
    motion: Float[Tensor, "batch sources side side 2"], present: Bool[Tensor, "batch sources"]
) -> Float[Tensor, "batch sources 1 side side"]:
    """What speaks for each source at each position before anything is learnt, as logits of its mask; 0 of a single one.

    The mean of several photos is soft, and near an even mixture no loss has a gradient that leads away from it: the
    detail that a mixture keeps, Σ mᵢ², is least where all count alike. So a source begins with FARTHER less for each
    unit of the crop's half side that the landmarks have to move it there: at each position the source that already
    shows nearly what is asked for is shown, one for the mouth, perhaps, and another one for the eyes.
    """
    told = -FARTHER * (motion - pixel_grid(motion[:, 0].permute(0, 3, 1, 2))).norm(dim=-1)
    told = told[:, :, None]
    return told - _absent_never(told, present).amax(1, keepdim=True)


def shares(
    logits: Float[Tensor, "batch sources 1 side side"], present: Bool[Tensor, "batch sources"]
) -> Float[Tensor, "batch sources 1 side side"]:
    """How much of each source is shown: softmax over the sources and one more, of logit 0, that shows none of them.

    Of a single source this is the sigmoid.
    """
    none = logits.new_zeros(logits[:, :1].shape)
    return torch.cat([none, _absent_never(logits, present)], 1).softmax(1)[:, 1:]


def _absent_never(logits: Float[Tensor, "batch sources 1 *side"], present: Bool[Tensor, "batch sources"]) -> Tensor:
    return logits.masked_fill(~present[:, :, None, None, None], -torch.inf)


def unfolded(x: Float[Tensor, "batch folded side side"], fold: int) -> Float[Tensor, "batch channels size size"]:
    """Channels become pixels (pixel-shuffle), and neighbours are weighed 1 : 2 : 1, across and down.

    Each pixel of a square comes from channels of its own. Nothing holds these together, and where a loss asks for
    detail, stripes and grids of period 2 are what they give first (Odena et al. 2016). Of those the weighing leaves
    nothing.
    """
    pixels = F.pixel_shuffle(x, fold)
    if fold == 1:
        return pixels
    across = constants((0.25, 0.5, 0.25), x)
    kernel = torch.outer(across, across).expand(pixels.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), kernel, groups=pixels.shape[1])


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
