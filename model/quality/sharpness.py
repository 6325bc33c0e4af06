"""How the sharpness of a picture compares with that of the photo that it should be: what a blurred face shows by."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import UInt8

from mien.model.quality.measures import sharpness

MAX_FACTOR = 16.0
"""A picture without any detail has no logarithm: ratios count as at most this, either way."""


def sharpness_values(
    image: UInt8[np.ndarray, "side side 3"], photo: UInt8[np.ndarray, "side side 3"]
) -> dict[str, float]:
    """`sharpness`: over that of the photo, 1 is best. `sharpness_gap`: the absolute logarithm of that, which counts
    blur and noise alike. None of them where the photo itself is of one colour.

    Both pictures are taken at their own side: at a smaller one, what a soft picture lacks would not be seen.
    """
    side_px = len(photo)
    real = sharpness(photo, side_px)
    if real <= 0:
        return {}
    ratio = min(max(sharpness(image, side_px) / real, 1 / MAX_FACTOR), MAX_FACTOR)
    return {"sharpness": ratio, "sharpness_gap": abs(math.log(ratio))}
