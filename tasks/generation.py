"""Rows of faces in, generated faces out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.application import ApplicationModel
from model.images import decode_rgb
from tasks.faces import common_points


def generate_pairs(
    generator: ApplicationModel, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]], crop_side_px: int
) -> np.ndarray:
    """Generated faces (uint8, n × side × side × 3) for pairs of rows (source, driver) with crop, heatmap, landmarks."""
    sources, drivers = ([pair[side] for pair in pairs] for side in (0, 1))
    return generator.generate(
        np.stack([decode_rgb(face["crop"]) for face in sources]),
        source_heatmaps=np.stack([face["heatmap"] for face in sources]),
        target_heatmaps=np.stack([face["heatmap"] for face in drivers]),
        source_points=np.stack([common_points(face, crop_side_px) for face in sources]),
        target_points=np.stack([common_points(face, crop_side_px) for face in drivers]),
    )
