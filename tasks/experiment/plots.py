"""Plots of an experiment as PNG: arms with their intervals, curves, confusions."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.tasks.experiment.results import Curve, ResultTable

_INK, _ACCENT, _SOFT = "#1b1f24", "#1f6feb", "#8c959f"
_MAX_NAMES = 24
"""Classes whose names still fit on an axis."""


def arms_plot(table: ResultTable) -> bytes:
    """A point and its 95% interval for each arm."""
    figure, axes = _figure(7.5, 0.9 + 0.32 * len(table.rows))
    for row, y in zip(table.rows, range(len(table.rows), 0, -1), strict=True):
        value, low, high = (each * table.scale for each in (row.value.value, row.value.low, row.value.high))
        if np.isfinite(low):
            axes.plot([low, high], [y, y], color=_ACCENT, linewidth=2, solid_capstyle="butt")
        axes.plot([value], [y], "o", color=_INK, markersize=5)
        for each in row.by_seed:
            axes.plot([each * table.scale], [y], "|", color=_SOFT, markersize=8)
    axes.set_yticks(range(len(table.rows), 0, -1), [row.arm for row in table.rows])
    axes.set_xlabel(table.unit)
    axes.grid(axis="x", color="#d0d7de", linewidth=0.6)
    return _png(figure)


def curve_plot(curve: Curve, scale: float = 100.0) -> bytes:
    """A line with intervals for each arm."""
    figure, axes = _figure(6.5, 3.6)
    for name, points in curve.lines.items():
        xs = [x for x, _ in points]
        ys = [each.value * scale for _, each in points]
        below = [max(0.0, (each.value - each.low) * scale) for _, each in points]
        above = [max(0.0, (each.high - each.value) * scale) for _, each in points]
        spread = [np.nan_to_num(below), np.nan_to_num(above)]
        axes.errorbar(xs, ys, yerr=spread, marker="o", markersize=4, capsize=3, label=name)
    axes.set_xlabel(curve.x)
    axes.set_ylabel(curve.y)
    axes.set_xticks(sorted({x for points in curve.lines.values() for x, _ in points}))
    axes.grid(color="#d0d7de", linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)
    return _png(figure)


def confusion_plot(counts: tuple[tuple[int, ...], ...], classes: tuple[str, ...]) -> bytes:
    """Shares of each class (row) that were taken for each other (column)."""
    shares = np.array(counts, np.float64)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1)
    figure, axes = _figure(5.2, 4.6)
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    figure.colorbar(image, ax=axes, shrink=0.8)
    if len(classes) <= _MAX_NAMES:
        axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    # Without the library's version and the date the same figures give the same bytes.
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
