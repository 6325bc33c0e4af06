"""The two discriminators. Both return logits: sigmoid(logit) is the likelihood of the patent.

Neither knows any particular person or expression. They judge whether their two inputs belong together, and images
that were drawn rather than photographed. Images of another size than theirs are brought to it first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.blocks import HEATMAP_GAIN, activate, conv, folded_heatmaps
from mien.model.warping.masks import OPENINGS, opening_maps
from mien.model.warping.picture_size import at_size


class IdentityDiscriminator(nn.Module):
    """D_id: do two images show one person?

    Each image is embedded by the same encoder, and the embeddings are compared. Nothing but the difference and the
    product of two embeddings reaches the comparison, so it cannot learn a person by heart; and a batch of n images is
    embedded once to give n² pairs.
    """

    def __init__(self, size_px: int, patch_px: int, width: int = 64, features: int = 128) -> None:
        super().__init__()
        self.size_px, self.patch_px = size_px, patch_px
        self.layers = nn.ModuleList(
            [
                conv(3 * patch_px**2, width),
                conv(width, 2 * width, stride=2),
                conv(2 * width, 3 * width, stride=2),
                conv(3 * width, 3 * width, stride=2),
            ]
        )
        self.embedding = nn.Linear(3 * width * 16, features)
        self.compare = nn.Sequential(nn.Linear(2 * features, features), nn.LeakyReLU(0.2), nn.Linear(features, 1))

    def embed(self, image: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch features"]:
        """What the comparison sees of each image (in [-1, 1])."""
        x = F.pixel_unshuffle(at_size(image, self.size_px), self.patch_px)
        for layer in self.layers:
            x = activate(layer(x))
        return self.embedding(F.adaptive_avg_pool2d(x, 4).flatten(1))

    def judge(
        self, first: Float[Tensor, "*pairs features"], second: Float[Tensor, "*pairs features"]
    ) -> Float[Tensor, "*pairs"]:
        """Logits of pairs of embeddings."""
        together = torch.cat([first * second, (first - second).abs()], dim=-1)
        return self.compare(together).squeeze(-1)

    def forward(
        self, image: Float[Tensor, "batch 3 size size"], other: Float[Tensor, "batch 3 size size"]
    ) -> Float[Tensor, " batch"]:
        """Logit that `image` and `other` show one person, and that `image` is no drawing."""
        return self.judge(self.embed(image), self.embed(other))


class ExpressionDiscriminator(nn.Module):
    """D_e: does an image match keypoints?

    It answers for each of 8 × 8 positions (at 128 px), so the generator learns where the match fails; the likelihood of
    the whole is that of the mean logit. Beside the heatmaps it may see how much of each pixel is to lie in the open
    mouth or in an open eye (`opening_maps`): lines alone do not say which side of them is inside.
    """

    def __init__(self, patch_px: int, core_px: int, parts: int = 8, width: int = 64, openings: bool = True) -> None:
        super().__init__()
        self.patch_px, self.core_px, self.openings = patch_px, core_px, openings
        seen = 4 * parts + (4 * len(OPENINGS) if openings else 0)
        self.layers = nn.ModuleList(
            [
                conv(3 * patch_px**2 + seen, width),
                conv(width, 2 * width, stride=2),
                conv(2 * width, 3 * width, stride=2),
            ]
        )
        self.answer = conv(3 * width, 1, kernel_px=3)

    def forward(
        self, image: Float[Tensor, "batch 3 size size"], keypoints: KeypointInfo
    ) -> Float[Tensor, "batch positions"]:
        """Logits, one per position, that `image` (in [-1, 1]) matches the keypoints."""
        return self.judge(self.features(image, keypoints)[-1])

    def features(self, image: Float[Tensor, "batch 3 size size"], keypoints: KeypointInfo) -> list[Tensor]:
        """What each layer sees of the image with the keypoints."""
        pixels = F.pixel_unshuffle(at_size(image, self.patch_px * self.core_px), self.patch_px)
        shown = [pixels, folded_heatmaps(keypoints.heatmaps, self.core_px)]
        if self.openings:
            shown.append(F.pixel_unshuffle(opening_maps(keypoints.points, 2 * self.core_px), 2) * HEATMAP_GAIN)
        x = torch.cat(shown, dim=1)
        seen: list[Tensor] = []
        for layer in self.layers:
            x = activate(layer(x))
            seen.append(x)
        return seen

    def judge(self, last: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch positions"]:
        """Logits from the last of the features."""
        return self.answer(last).flatten(1)
