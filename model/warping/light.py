"""The light of further photos made that of the first, so that parts of both can stand side by side in one face.

    gainᵢ = 1 + w·(B(m·I₁) / B(m·Iᵢ) − 1)      B: a wide blur, m: skin, Iᵢ: photo i moved onto the asked landmarks
    w = B(m) / (B(m) + ε)

A face's shading changes slowly over it, features do not. So the quotient of two photos of one face, each blurred far
beyond its features, is the quotient of their lights (the quotient image of Shashua and Riklin-Raviv 2001). Mouth and
eyes are left out of the blur: they differ since the expressions do. Away from the skin the gain falls to 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.face_swap import inner_face
from mien.model.warping.masks import region_mask

BLUR = 1 / 8
"""Standard deviation of the blur, in sides of the crop."""
FAINT = 0.01
"""ε: where less than this of the blur is skin, the gain is nearer to 1 than to the quotient."""
_BLACK = 1e-4
"""No division by less."""
MOST = 2.5
"""And 1/MOST the least: no light is made out of noise."""


def light_gains(
    moved: Float[Tensor, "batch sources 3 side side"], points: Float[Tensor, "batch 68 2"]
) -> Float[Tensor, "batch sources 3 side side"]:
    """What each source's brightness, 0 for black, is to be multiplied by, channel by channel; 1 for the first.

    Args:
        moved: Sources moved onto the landmarks that are asked for, in [-1, 1]; small pictures are enough.
        points: These landmarks, in [-1, 1].
    """
    side_px = moved.shape[-1]
    skin = inner_face(points, side_px) * (1 - region_mask(points, side_px, "mouth").clamp_max(1))
    skin = (skin * (1 - region_mask(points, side_px, "eyes")))[:, None]
    bright, share = _blurred((moved + 1) / 2 * skin) + _BLACK, _blurred(skin)
    quotient = (bright[:, :1] / bright).clamp(1 / MOST, MOST)
    return 1 + share / (share + FAINT) * (quotient - 1)


def lit(pictures: Float[Tensor, "*batch 3 side side"], gains: Float[Tensor, "*batch 3 side side"]) -> Tensor:
    """Pictures in [-1, 1] with their brightness multiplied."""
    return ((pictures + 1) * gains - 1).clamp(-1, 1)


def _blurred(pictures: Float[Tensor, "batch sources channels side side"]) -> Tensor:
    side_px = pictures.shape[-1]
    away = torch.arange(-side_px + 1, side_px, device=pictures.device, dtype=pictures.dtype) / (BLUR * side_px)
    kernel = torch.exp(-(away**2) / 2)
    kernel = (kernel / kernel.sum()).expand(pictures.shape[-3], 1, 1, -1)
    flat = pictures.flatten(0, 1)
    across = F.conv2d(flat, kernel, padding=(0, side_px - 1), groups=flat.shape[1])
    down = F.conv2d(across, kernel.transpose(2, 3), padding=(side_px - 1, 0), groups=flat.shape[1])
    return down.unflatten(0, pictures.shape[:2])
