"""What is asked of a generator: the target's landmarks and their heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from model.heatmaps import HeatmapSpec, render_heatmaps
from tasks.faces import common_points

Rows = Sequence[dict[str, Any]]


class Asked(NamedTuple):
    """Keypoint information of the targets."""

    points: Float[np.ndarray, "pairs 68 2"]
    """In [-1, 1] over the crop."""
    heatmaps: UInt8[np.ndarray, "pairs parts side side"]


def asked_of(
    drivers: Rows, crop_side_px: int, retargeted: Float[np.ndarray, "pairs 68 2"] | None, spec: HeatmapSpec
) -> Asked:
    """The retargeted points with their heatmaps; where there are none, the drivers' own with those of the cache."""
    if retargeted is None:
        points = np.stack([common_points(driver, crop_side_px) for driver in drivers])
        return Asked(points, np.stack([driver["heatmap"] for driver in drivers]))
    points = retargeted.astype(np.float32)
    return Asked(points, render_heatmaps((points + 1) / 2 * crop_side_px, "ibug68", crop_side_px, spec))
