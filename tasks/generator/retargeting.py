"""Rows of faces in, the points to ask of a generator out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from model.retargeting import Faces, RetargetSettings, retarget
from model.shape_model import ShapeModel
from storage import Root
from tasks.faces import common_points
from tasks.neutrals import Neutrals, load_neutrals

Rows = Sequence[dict[str, Any]]


def retargeted_points(
    root: Root,
    neutrals: str | None,
    settings: RetargetSettings,
    shape_model: ShapeModel | None,
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    crop_size_px: int,
) -> Float[np.ndarray, "pairs 68 2"] | None:
    """For pairs of rows (source, driver) what is asked for, in [-1, 1] over the crop; None: the drivers' own points.

    `neutrals` is the fingerprint of `tasks.neutrals.keep_neutrals`.
    """
    if neutrals is None:
        return None
    known = load_neutrals(root, neutrals)
    source, driver = (_with_neutrals(known, [pair[side] for pair in pairs], crop_size_px) for side in (0, 1))
    return retarget(source, driver, settings, shape_model)


def _with_neutrals(neutrals: Neutrals, rows: Rows, crop_size_px: int) -> Faces:
    points = np.stack([common_points(row, crop_size_px) for row in rows]).astype(np.float64)
    return Faces(points, neutrals.of([row["face_id"] for row in rows]))
