"""The motion that landmarks alone determine: the spline on the face, the head's own motion around it.

A thin-plate spline goes on linearly beyond its outermost landmarks, and so takes hair, neck and background along with
whatever chin and brows do. What surrounds a face moves with the head. Far from all landmarks the head's motion is taken
for that of its outline, the similarity that best takes the target's jaw line to the source's; in between the two blend:

    f(x) = s(x) + exp(−d(x)²/R²)·(spline(x) − s(x))      d: distance to the nearest landmark of the target
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.pixel_grid import pixel_centres, squared_distances
from mien.model.warping.similarity import plane, similarity
from mien.model.warping.thin_plate_spline import spline_of_distances

REACH = 0.3
"""R, in units of the crop's half side."""
OUTLINE = slice(0, 17)
"""The jaw line, from ear to ear, of the 68 common landmarks."""


def face_grid(
    source: Float[Tensor, "batch 68 2"], target: Float[Tensor, "batch 68 2"], side_px: int
) -> Float[Tensor, "batch side side 2"]:
    """Where in the source each pixel of a square target picture is found: a backward flow, as `warp` takes
    it. Points and result are (x, y) in [-1, 1] over the picture."""
    with torch.autocast(source.device.type, enabled=False):
        squared = squared_distances(target, side_px)
        spline = spline_of_distances(source, target, squared, side_px)
        pixels = pixel_centres(side_px, source)
        near = torch.exp(-squared.amin(-1) / REACH**2).unflatten(1, (side_px, side_px))[..., None]
        around = outline_motion(source, target, pixels).unflatten(1, (side_px, side_px))
        return around + near * (spline - around)


def outline_motion(
    source: Float[Tensor, "batch 68 2"], target: Float[Tensor, "batch 68 2"], pixels: Float[Tensor, "pixels 2"]
) -> Float[Tensor, "batch pixels 2"]:
    """Pixel positions carried along by the similarity that best takes the target's jaw line to the source's."""
    turn, shift = similarity(plane(target[:, OUTLINE]), plane(source[:, OUTLINE]))
    return torch.view_as_real(turn * plane(pixels)[None] + shift)
