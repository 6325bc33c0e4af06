"""The registered generator as MLflow's `pyfunc` serves it: arrays in, generated faces out.

MLflow calls `_load_pyfunc` of this module with the folder of an exported generator; nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.heatmaps import render_heatmaps


class ServedGenerator:
    """What `mlflow.pyfunc.load_model("models:/mien-generator@champion")` wraps."""

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
            source,
            source_heatmaps=source_heatmaps,
            target_heatmaps=target_heatmaps,
            source_points=source_points,
            target_points=target_points,
        )


def _load_pyfunc(path: str) -> ServedGenerator:  # pyright: ignore[reportUnusedFunction]  # MLflow looks for this name
    return ServedGenerator(ExportedGenerator.load(Path(path)))
