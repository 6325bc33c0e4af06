"""What nobody asked to change stays as the photo shows it.

    Î = a·Î + (1 − a)·I₁      a = 1 − exp(−(d / D)² − (h / H)²)

d is how far the landmarks move the first source at a position, h by how much the heatmaps that are asked for differ
from its own there. A network that is trained on pairs of two photos never sees one that is to stay as it is: without
this, narrow eyes were drawn shut though nothing was asked of them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.warping.picture_size import at_size, smooth_at_size
from mien.model.warping.pixel_grid import pixel_grid

STILL = 0.3 / 64
"""D, in units of the crop's half side: a third of a pixel of 128."""
SAME = 0.1
"""H, of heatmaps in [0, 1]."""


def restrained(
    image: Float[Tensor, "batch 3 side side"],
    photo: Float[Tensor, "batch 3 photo_side photo_side"],
    motion: Float[Tensor, "batch coarse coarse 2"],
    keypoints: KeypointInfo,
    asked: KeypointInfo,
) -> Float[Tensor, "batch 3 side side"]:
    """`image`, and `photo` where it is to stay.

    Args:
        image: In [-1, 1].
        photo: The first source.
        motion: Where each position comes from in the photo, as the landmarks say, in [-1, 1] over the crop.
        keypoints: Of the photo.
        asked: Of the image.
    """
    side_px = image.shape[-1]
    moves = (motion - pixel_grid(motion.permute(0, 3, 1, 2))).norm(dim=-1)[:, None].float()
    differs = (asked.heatmaps - keypoints.heatmaps).abs().amax(1, keepdim=True).float()
    stays = [torch.exp(-((change / least) ** 2)) for change, least in ((moves, STILL), (differs, SAME))]
    kept = smooth_at_size(stays[0], side_px) * smooth_at_size(stays[1], side_px)
    return image + kept * (at_size(photo, side_px) - image)
