"""Pictures as the recognisers see them: grey, of one size."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.model.warping.pixel_grid import centres_along

SIDE_PX = 64
"""Of the pictures that recognisers see."""

_SCALE, _SHIFT, _TURN_DEGREES = 0.15, 0.08, 10.0
_CONTRAST, _BRIGHTNESS = 0.3, 0.3
"""Of the usual augmentation: at most so much either way; shifts are shares of the side, brightness is in [-1, 1]."""

GreyFaces = UInt8[np.ndarray, "faces side side"]
Images = Float[Tensor, "batch 1 side side"]
Planes = Float[Tensor, "batch planes side_ side_"]
"""Pictures of any number of planes, in [-1, 1]."""


def as_seen(pictures: Iterable[UInt8[np.ndarray, "_ _ 3"]]) -> GreyFaces:
    """RGB pictures of any size as recognisers see them. Colour is left out, since some sets have none."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    seen = [cv2.resize(one, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for one in grey]
    return np.stack(seen) if seen else np.zeros((0, SIDE_PX, SIDE_PX), np.uint8)


def as_images(faces: GreyFaces) -> Images:
    """In [-1, 1]."""
    return torch.from_numpy(faces[:, None].astype(np.float32)) / 127.5 - 1


def usual_augmentation(images: Planes, random: torch.Generator) -> Planes:
    """What is customary without a generator: mirrored, scaled, shifted, turned; contrast and brightness changed.

    Drawn for each image. It is our own since neither library of choice can be had beside the other parts: torchvision's
    wheels do not load with a CPU build of torch, and albumentations brings a second OpenCV.
    """
    count = len(images)

    def drawn(most: float) -> Float[Tensor, " batch"]:
        return (torch.rand(count, generator=random) * 2 - 1) * most

    angle, scale = drawn(math.radians(_TURN_DEGREES)), 1 + drawn(_SCALE)
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = torch.stack([drawn(2 * _SHIFT), drawn(2 * _SHIFT)], dim=1)
    linear = torch.stack([torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], 1)
    along = centres_along(images.shape[-1], images)[:, None]
    across, down = (along * linear[:, None, :, axis] for axis in (0, 1))
    grid = across[:, None] + (down + shift[:, None])[:, :, None]
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (1 + drawn(_CONTRAST))[:, None, None, None], drawn(_BRIGHTNESS)[:, None, None, None]
    return (moved * contrast + brightness).clamp(-1, 1)
