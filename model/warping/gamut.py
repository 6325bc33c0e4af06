"""What is drawn where mouth and lids open has no colours that the face in the photos does not have.

Teeth, tongues and the whites of eyes are drawn over lips and lids that the photo shows there. What the drawn layer gets
wrong of their red is its complement: greenish teeth. With the brightness Y, let green be G − (R + B) / 2 and blue be
B − (R + G) / 2. What is grey has as much of them as the light of the photo gives it, and skin has less. So in openings
each is at most the `SHARE` quantile over the face in the photos, whose brightest skin and whites of eyes tell the
light. Y stays.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.model.warping.colours import brightness
from mien.model.warping.masks import opening_maps
from mien.model.warping.pixel_grid import centres_along

SHARE = 0.99
_SIDE_PX = 32
"""Photos are looked at in at least so many pixels each way, and fewer than twice as many."""
_FACE = slice(17, 68)
"""Of the common landmarks: brows, eyes, nose and mouth. Their box has hardly anything but skin beside them."""


def within_gamut(
    image: Float[Tensor, "batch 3 side side"],
    asked: Float[Tensor, "batch 68 2"],
    photos: Float[Tensor, "batch sources 3 source_side source_side"],
    points: Float[Tensor, "batch sources 68 2"],
    present: Bool[Tensor, "batch sources"],
) -> Float[Tensor, "batch 3 side side"]:
    """The image, in openings no greener and no bluer than the face in the photos that are present; all in [-1, 1].

    Args:
        image: What was drawn.
        asked: Its landmarks, in [-1, 1] over the crop.
        photos: What it was drawn from.
        points: Their landmarks.
        present: Which of the photos count.
    """
    image = image.float()  # of half precision where a network drew it so
    excess = (_tints(image) - _limits(photos.detach().float(), points, present)[..., None, None]).clamp(min=0)
    change = torch.cat([excess.sum(1, keepdim=True), -excess], 1) * (2 / 3)
    openings = opening_maps(asked.float(), image.shape[-1]).sum(1, keepdim=True).clamp(max=1)
    return (image + openings * (change - brightness(change))).clamp(-1, 1)


def _tints(images: Float[Tensor, "*rows 3 height width"]) -> Float[Tensor, "*rows 2 height width"]:
    """Green and blue."""
    return 1.5 * (images[..., 1:, :, :] - images.mean(-3, keepdim=True))


def _limits(
    photos: Float[Tensor, "batch sources 3 side side"],
    points: Float[Tensor, "batch sources 68 2"],
    present: Bool[Tensor, "batch sources"],
) -> Float[Tensor, "batch 2"]:
    """Of green and of blue; infinite where the faces lie outside of the photos."""
    step = max(photos.shape[-1] // _SIDE_PX, 1)
    along = centres_along(photos.shape[-1], points)[::step]
    face = points[:, :, _FACE]
    across, down = (
        (along >= low[..., None]) & (along <= high[..., None])
        for low, high in zip(face.amin(2).unbind(-1), face.amax(2).unbind(-1), strict=True)
    )
    inside = across[:, :, None] & down[..., None] & present[:, :, None, None]
    tints = _tints(photos[..., ::step, ::step]).transpose(1, 2)
    ordered = tints.masked_fill(~inside[:, None], -torch.inf).flatten(2).sort(-1).values
    count = inside.flatten(1).sum(1)
    place = ordered.shape[-1] - 1 - ((1 - SHARE) * (count - 1)).clamp(min=0).long()
    found = ordered.gather(-1, place[:, None, None].expand(-1, 2, 1))[..., 0]
    return found.masked_fill(count[:, None] == 0, torch.inf)
