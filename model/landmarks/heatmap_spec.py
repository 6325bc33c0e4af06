"""How heatmaps are drawn: what sets, generators and fingerprints keep of it. The drawing is in `heatmaps.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from mien.model.configuration.bounds import Bounds, check_bounds

HeatmapForm = Literal["points", "contours"]


@dataclass(frozen=True)
class HeatmapSpec:
    """Size of the heatmaps, what they draw, and how wide."""

    size_px: Annotated[int, Bounds(min=8, max=256)] = 64
    """Side of the square heatmaps."""
    sigma_px: Annotated[float, Bounds(above=0, max=64)] = 1.5
    """Of the Gaussian around each landmark or line, in pixels of the heatmap."""
    form: HeatmapForm = "contours"
    """points: each landmark; contours: the lines of lids, lips, brows, nose and jaw, with openings and irises."""

    def __post_init__(self) -> None:
        check_bounds(self)

    @staticmethod
    def from_mapping(kept: Mapping[str, Any]) -> HeatmapSpec:
        """From what `asdict` gave, after JSON; versions that drew points alone kept no form."""
        given: dict[str, Any] = {"form": "points", **kept}
        return HeatmapSpec(**given)
