"""D_p: was a patch of a face photographed or drawn?

It sees mouth and eyes at the picture's own resolution, where a drawn tooth or lid shows that it is soft, and no more of
the face than that: what it learns is texture, not people (the patch discriminator of Isola et al. 2017). It compares
with nothing, so it also judges faces of which there is no photo.

Beside the pixels it gets the finest detail alone, enlarged. Without it 300 updates teach it nothing: what a drawn patch
lacks, or has too much, is a hundredth of the contrast of a mouth.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.networks.blocks import activate, conv
from mien.model.warping.patches import PATCHED, face_patches, patch_corners
from mien.model.warping.picture_size import parted

DETAIL_GAIN = 8.0
"""So that the finest detail of a photo has about the contrast of the photo."""


class PatchDiscriminator(nn.Module):
    """One network for all regions, which is told which one it sees."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                conv(3 + 3 + len(PATCHED), width, stride=2),
                conv(width, 2 * width, stride=2),
                conv(2 * width, 3 * width, stride=2),
            ]
        )
        self.answer = conv(3 * width, 1, gain=0.1)

    def features(self, image: Float[Tensor, "batch 3 size size"], points: Float[Tensor, "batch 68 2"]) -> list[Tensor]:
        """What each layer sees of mouth and eyes, region by region of each image (in [-1, 1])."""
        patches = face_patches(image, patch_corners(points, image.shape[-1]))
        which = torch.eye(len(PATCHED), dtype=patches.dtype, device=patches.device)
        told = which[:, :, None, None].repeat(len(patches), 1, *patches.shape[3:])
        patches = patches.flatten(0, 1)
        x = torch.cat([patches, parted(patches)[1] * DETAIL_GAIN, told], 1)
        seen: list[Tensor] = []
        for layer in self.layers:
            x = activate(layer(x))
            seen.append(x)
        return seen

    def judge(self, last: Float[Tensor, "patches channels height width"]) -> Float[Tensor, "patches positions"]:
        """Logits from the last of the features, one for each position of each patch."""
        return self.answer(last).flatten(1)

    def forward(
        self, image: Float[Tensor, "batch 3 size size"], points: Float[Tensor, "batch 68 2"]
    ) -> Float[Tensor, "patches positions"]:
        """Logits that mouth and eyes of the images were photographed."""
        return self.judge(self.features(image, points)[-1])
