"""Rows of faces in, generated faces out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.application import ApplicationModel
from model.heatmaps import render_heatmaps
from model.images import decode_rgb
from tasks.faces import common_points


@dataclass(frozen=True)
class GeneratorInputs:
    """What the generator takes for a batch; see `ApplicationModel.generate`."""

    source: np.ndarray
    source_heatmaps: np.ndarray
    target_heatmaps: np.ndarray
    source_points: np.ndarray
    target_points: np.ndarray


def generator_inputs(
    generator: ApplicationModel,
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    crop_side_px: int,
    asked: np.ndarray | None = None,
) -> GeneratorInputs:
    """For pairs of rows (source, driver) with crop, heatmap, landmarks.

    `asked` are the points to reach (n × 68 × 2, in [-1, 1] over the crop) where they are not the drivers' own.
    """
    sources, drivers = ([pair[side] for pair in pairs] for side in (0, 1))
    if asked is None:
        target_heatmaps = np.stack([face["heatmap"] for face in drivers])
        target_points = np.stack([common_points(face, crop_side_px) for face in drivers])
    else:
        target_points = asked.astype(np.float32)
        asked_xy = (target_points + 1) / 2 * crop_side_px
        target_heatmaps = render_heatmaps(asked_xy, "ibug68", crop_side_px, generator.heatmap_spec)
    return GeneratorInputs(
        np.stack([decode_rgb(face["crop"]) for face in sources]),
        np.stack([face["heatmap"] for face in sources]),
        target_heatmaps,
        np.stack([common_points(face, crop_side_px) for face in sources]),
        target_points,
    )


def generate_pairs(
    generator: ApplicationModel,
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    crop_side_px: int,
    asked: np.ndarray | None = None,
) -> np.ndarray:
    """Generated faces (uint8, n × side × side × 3) for pairs of rows; see `generator_inputs`."""
    return generator.generate(**vars(generator_inputs(generator, pairs, crop_side_px, asked)))
