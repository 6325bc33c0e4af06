"""The two forms of heatmaps, as a figure: an eye that opens, its lids and iris drawn as points and as contours."""

from __future__ import annotations

from typing import get_args

import numpy as np

from benchmarks.svg import FAINT, INK, figure, text
from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import PARTS, POINTS, LandmarkScheme

GAPS_PX = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Between the lids, in pixels of the heatmap."""
SCHEME: LandmarkScheme = "mediapipe478"
WIDTH_PX, IRIS_PX, GAZE_PX = 10.0, 1.8, 1.5
"""Of the eye, the iris's radius, and how far it looks to the right; an eye of a usual crop."""
COLUMNS, ROWS = 20, 14
_CELL, _GAP, _LEFT, _TOP = 9, 16, 80, 40
_GREYS = 16


def heatmap_forms() -> str:
    """SVG text."""
    shapes: list[str] = []
    for row, form in enumerate(get_args(HeatmapForm)):
        y = _TOP + row * (ROWS * _CELL + _GAP)
        shapes.append(text(_LEFT - 12, y + ROWS * _CELL / 2 + 4, form, 13, INK, 600, "end"))
        for column, gap_px in enumerate(GAPS_PX):
            x = _LEFT + column * (COLUMNS * _CELL + _GAP)
            shapes += [
                f'<g transform="translate({x} {y})" shape-rendering="crispEdges">',
                *_cells(_eye(gap_px, form)),
                "</g>",
            ]
            if row == 0:
                shapes.append(text(x + COLUMNS * _CELL / 2, _TOP - 14, f"lids {gap_px:g} px apart", 13, FAINT))
    width = _LEFT + len(GAPS_PX) * (COLUMNS * _CELL + _GAP)
    height = _TOP + len(get_args(HeatmapForm)) * (ROWS * _CELL + _GAP)
    return figure(width, height, "an eye that opens, as a heatmap of points and of contours", shapes)


def _eye(gap_px: float, form: HeatmapForm) -> np.ndarray:
    """The heatmap's pixels around an eye whose lids are two arcs; all other landmarks are far away."""
    points, spec = np.full((POINTS[SCHEME], 2), -1000.0, np.float32), HeatmapSpec(form=form)
    middle = np.array([COLUMNS, ROWS]) / 2 + 0.25
    lids, iris = contours(SCHEME)["left_eye"][0].indices, irises(SCHEME)["left_eye"]
    turn = np.pi + np.linspace(0, 2 * np.pi, len(lids), endpoint=False)
    points[list(lids)] = middle + np.stack([WIDTH_PX / 2 * np.cos(turn), gap_px / 2 * np.sin(turn)], axis=1)
    points[iris.centre] = middle + np.array([GAZE_PX, 0])
    points[list(iris.rim)] = points[iris.centre] + IRIS_PX * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])
    drawn = render_heatmaps(points[None], SCHEME, spec.size_px, spec)[0, PARTS.index("left_eye")]
    return drawn[:ROWS, :COLUMNS]


def _cells(values: np.ndarray) -> list[str]:
    """Squares, all of one grey as one path. Few greys, so that the figure is the same everywhere."""
    steps = np.rint(values / 255 * (_GREYS - 1)).astype(int)
    shapes = [f'<rect width="{COLUMNS * _CELL}" height="{ROWS * _CELL}" fill="#000"/>']
    for step in range(1, _GREYS):
        squares = "".join(
            f"M{x * _CELL} {y * _CELL}h{_CELL}v{_CELL}h-{_CELL}z" for y, x in np.argwhere(steps == step).tolist()
        )
        if squares:
            grey = f"{round(255 * step / (_GREYS - 1)):02x}"
            shapes.append(f'<path d="{squares}" fill="#{3 * grey}"/>')
    return shapes
