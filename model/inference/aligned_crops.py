"""Aligned crops and landmarks in, generated faces out: the signature of versions that were registered before 0.3.

Such a version brings its own code. In a process that has imported this package already, MLflow runs this code for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import UInt8

from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.heatmaps import render_heatmaps


def is_of_aligned_crops(given: Any) -> TypeGuard[Mapping[str, np.ndarray]]:
    """Whether this is a mapping of the three arrays of `of_aligned_crops`."""
    return isinstance(given, Mapping) and "source_landmarks" in given and "target_landmarks" in given


def of_aligned_crops(
    generator: ExportedGenerator, given: Mapping[str, np.ndarray]
) -> UInt8[np.ndarray, "batch size size 3"]:
    """Generated faces, one for each crop.

    Args:
        generator: That makes them.
        given: `source`: aligned photos, uint8, batch × side × side × 3; `source_landmarks` and `target_landmarks`: the
            68 landmarks (iBUG order) in pixels of `source`, float32, batch × 68 × 2.
    """
    source = np.asarray(given["source"], np.uint8)
    landmarks = [np.asarray(given[f"{side}_landmarks"], np.float32) for side in ("source", "target")]
    side_px = source.shape[1]
    source_heatmaps, target_heatmaps = (
        render_heatmaps(xy, "ibug68", side_px, generator.heatmap_spec) for xy in landmarks
    )
    source_points, target_points = (from_px(xy, side_px) for xy in landmarks)
    return generator.generate(
        source,
        source_heatmaps=source_heatmaps,
        target_heatmaps=target_heatmaps,
        source_points=source_points,
        target_points=target_points,
    )
