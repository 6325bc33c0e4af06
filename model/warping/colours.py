"""A photo without colours of its own, grey or of one tint, gives a picture without them.

What a generator draws it learnt mostly from colour photos: in a grey one teeth come out greenish and lips red. In a
photo of one tint (grey, sepia) the colour of a pixel follows from its brightness Y: C = a + b·Y, where C = RGB − Y. The
rest of C has the root mean square r. The picture keeps min(1, r / COLOURFUL)² of its own colours and takes the others
from the line: none are left of a grey photo, all of a colour photo.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.model.device import constants

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in what is seen of a colour as brightness (ITU-R BT.601)."""
COLOURFUL = 2 / 127.5
"""What r is at least in a colour photo, in [-1, 1]: pale faces before a white wall have 3 of 255 and more."""
_EVERY = 2
"""Of so many pixels each way one is looked at."""


def brightness(images: Float[Tensor, "*rows 3 side side"]) -> Float[Tensor, "*rows 1 side side"]:
    """Y of each pixel."""
    return (images * constants(LUMA, images)[:, None, None]).sum(-3, keepdim=True)


def coloured_as(
    image: Float[Tensor, "batch 3 side side"],
    photos: Float[Tensor, "batch sources 3 source_side source_side"],
    present: Bool[Tensor, "batch sources"],
) -> Float[Tensor, "batch 3 side side"]:
    """The image with no more colours than the photos that are present have together; all in [-1, 1]."""
    offset, slope, left = _line(photos.detach()[..., ::_EVERY, ::_EVERY].float(), present)
    image = image.float()  # of half precision where a network drew it so
    grey = brightness(image)
    share = (left / COLOURFUL).clamp(max=1).square()
    return torch.lerp(grey + offset + slope * grey, image, share).clamp(-1, 1)


def _line(
    photos: Float[Tensor, "batch sources 3 few few"], present: Bool[Tensor, "batch sources"]
) -> tuple[Float[Tensor, "batch 3 1 1"], Float[Tensor, "batch 3 1 1"], Float[Tensor, "batch 1 1 1"]]:
    """a and b of each row, and r."""
    weights = present.float()[:, :, None, None, None] / present.sum(1)[:, None, None, None, None]

    def mean(values: Float[Tensor, "batch sources planes few few"]) -> Float[Tensor, "batch planes 1 1"]:
        return (values * weights).sum(1).mean((-2, -1), keepdim=True)

    grey = brightness(photos)
    colour = photos - grey
    grey_mean, colour_mean = mean(grey), mean(colour)
    centred, spread = grey - grey_mean[:, None], colour - colour_mean[:, None]
    slope = mean(centred * spread) / mean(centred.square()).clamp(min=1e-6)
    left = mean((spread - slope[:, None] * centred).square()).mean(1, keepdim=True).sqrt()
    return colour_mean - slope * grey_mean, slope, left
