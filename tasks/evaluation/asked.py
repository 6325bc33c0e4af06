"""What is asked of a generator: the target's landmarks and their heatmaps. The one place where retargeting comes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from tasks.faces import common_points

Rows = Sequence[dict[str, Any]]


class Asked(NamedTuple):
    """Keypoint information of the targets."""

    points: Float[np.ndarray, "pairs 68 2"]
    """In [-1, 1] over the crop."""
    heatmaps: UInt8[np.ndarray, "pairs parts side side"]


def target_points(sources: Rows, drivers: Rows, crop_side_px: int) -> Float[np.ndarray, "pairs 68 2"]:
    """The 68 landmarks asked for, in [-1, 1] over the crop: the drivers' own."""
    return np.stack([common_points(driver, crop_side_px) for driver in drivers])


def asked_of(sources: Rows, drivers: Rows, crop_side_px: int) -> Asked:
    """Points and heatmaps; since the points are the drivers' own, so are the heatmaps of the cache."""
    return Asked(target_points(sources, drivers, crop_side_px), np.stack([driver["heatmap"] for driver in drivers]))
