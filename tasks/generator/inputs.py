"""Rows of faces in, what a generator takes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.expression.retargeting import Faces, RetargetSettings, retarget
from mien.model.expression.shape_model import ShapeModel
from mien.model.expression.strength import strengthened
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.storage import Root
from mien.tasks.generator.neutrals import FaceKey, load_neutrals
from mien.tasks.sets.face_columns import common_points, crop_of, heatmap_of
from mien.tasks.sets.face_rows import FaceWithHeatmap

FacePair = tuple[FaceWithHeatmap, FaceWithHeatmap]
"""Source and driver."""


class TargetKeypoints(NamedTuple):
    """Keypoint information of the targets: what is asked of a generator."""

    points: Float[np.ndarray, "pairs 68 2"]
    """In [-1, 1] over the crop."""
    heatmaps: UInt8[np.ndarray, "pairs parts side side"]


@dataclass(frozen=True)
class GeneratorInputs:
    """What the generator takes for a batch; see `ExportedGenerator.generate`."""

    source: np.ndarray
    source_heatmaps: np.ndarray
    target_heatmaps: np.ndarray
    source_points: np.ndarray
    target_points: np.ndarray


def generator_inputs(
    spec: HeatmapSpec,
    pairs: Sequence[FacePair],
    crop_side_px: int,
    retargeted: Float[np.ndarray, "pairs 68 2"] | None = None,
) -> GeneratorInputs:
    """For pairs of rows (source, driver) with crop, heatmap, landmarks.

    `retargeted` are the points to reach, in [-1, 1] over the crop, where they are not the drivers' own.
    """
    sources, drivers = ([pair[side] for pair in pairs] for side in (0, 1))
    target = target_keypoints(drivers, crop_side_px, retargeted, spec)
    return GeneratorInputs(
        np.stack([crop_of(face) for face in sources]),
        np.stack([heatmap_of(face) for face in sources]),
        target.heatmaps,
        np.stack([common_points(face, crop_side_px) for face in sources]),
        target.points,
    )


def target_keypoints(
    drivers: Sequence[FaceWithHeatmap],
    crop_side_px: int,
    retargeted: Float[np.ndarray, "pairs 68 2"] | None,
    spec: HeatmapSpec,
) -> TargetKeypoints:
    """The retargeted points with their heatmaps; where there are none, the drivers' own with those of the cache."""
    if retargeted is None:
        points = np.stack([common_points(driver, crop_side_px) for driver in drivers])
        return TargetKeypoints(points, np.stack([heatmap_of(driver) for driver in drivers]))
    points = retargeted.astype(np.float32)
    return TargetKeypoints(points, render_heatmaps(to_px(points, crop_side_px), "ibug68", crop_side_px, spec))


def retargeted_points(
    root: Root,
    neutrals: str | None,
    settings: RetargetSettings,
    shape_model: ShapeModel | None,
    pairs: Sequence[FacePair],
    crop_size_px: int,
    strengths: Sequence[float] | None = None,
) -> Float[np.ndarray, "pairs 68 2"] | None:
    """For pairs of rows (source, driver) what is asked for, in [-1, 1] over the crop; None: the drivers' own points.

    Each row names its `set`, whose people the neutrals are. `neutrals` is the fingerprint of `keep_neutrals`. Each pair
    has its own of `strengths`; without them all have the one that the settings begin with.
    """
    if neutrals is None:
        return None
    known = load_neutrals(root, neutrals)
    sources, drivers = ([pair[side] for pair in pairs] for side in (0, 1))
    source = Faces(_points(sources, crop_size_px), known.of(_keys(sources)))
    driver = Faces(_points(drivers, crop_size_px), known.of_drivers(_keys(drivers)))
    each = settings.strength.min if strengths is None else np.array(strengths)
    return retarget(source, strengthened(driver, each, shape_model), settings, shape_model)


def _points(rows: Sequence[FaceWithHeatmap], crop_size_px: int) -> Float[np.ndarray, "rows 68 2"]:
    return np.stack([common_points(row, crop_size_px) for row in rows]).astype(np.float64)


def _keys(rows: Sequence[FaceWithHeatmap]) -> list[FaceKey]:
    return [(row["set"], row["face_id"]) for row in rows]
