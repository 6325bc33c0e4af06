"""Aligned crops and landmarks in, generated faces out: the signature of versions that were registered before 0.3.

Such a version brings its own code. In a process that has imported this package already, MLflow runs this code for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.heatmaps import render_heatmaps


class AlignedCrops:
    """What `mlflow.pyfunc.load_model` wraps for such a version. It needs no detector."""

    def __init__(self, generator: ExportedGenerator) -> None:
        self._generator = generator

    def predict(self, model_input: Mapping[str, np.ndarray], params: Any = None) -> UInt8[np.ndarray, "batch s s 3"]:
        """Generated faces for a mapping of three arrays.

        `source`: aligned photos, uint8, batch × side × side × 3; `source_landmarks` and `target_landmarks`: the 68
        landmarks (iBUG order) in pixels of `source`, float32, batch × 68 × 2.
        """
        source = np.asarray(model_input["source"], np.uint8)
        landmarks = [np.asarray(model_input[f"{side}_landmarks"], np.float32) for side in ("source", "target")]
        side_px = source.shape[1]
        spec = self._generator.heatmap_spec
        source_heatmaps, target_heatmaps = (render_heatmaps(xy, "ibug68", side_px, spec) for xy in landmarks)
        source_points, target_points = (from_px(xy, side_px) for xy in landmarks)
        return self._generator.generate(
            source[:, None],
            source_heatmaps=source_heatmaps[:, None],
            target_heatmaps=target_heatmaps,
            source_points=source_points[:, None],
            target_points=target_points,
            side_px=self._generator.size_px,
        )
