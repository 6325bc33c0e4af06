"""A measure over the faces of a table as bars, the accepted and the other ones, with the limits that hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_BINS = 24


@dataclass(frozen=True)
class Histogram:
    """A measure over some faces: accepted and other ones."""

    name: str
    low: float
    high: float
    """Of the bins. 1 % of the faces may lie beyond on either side; they count in the outermost bins."""
    median: float
    accepted: list[int]
    rejected: list[int]
    limits: tuple[float, ...] = ()
    """Limits of the measure, in its unit."""

    def bars(self, height_px: int) -> list[tuple[float, float]]:
        """Heights of the accepted and the rejected part of each bar."""
        highest = max(map(sum, zip(self.accepted, self.rejected, strict=True)))
        return [
            (height_px * a / highest, height_px * r / highest)
            for a, r in zip(self.accepted, self.rejected, strict=True)
        ]

    def lines(self, width_px: float) -> list[float]:
        """Where the limits lie that are within the bins, from the left."""
        return [
            width_px * (limit - self.low) / (self.high - self.low)
            for limit in self.limits
            if self.low <= limit <= self.high
        ]


def histogram_of(
    name: str, values: Float[np.ndarray, " faces"], ok: Bool[np.ndarray, " faces"], limits: tuple[float, ...] = ()
) -> Histogram | None:
    """Of the faces that have the measure: it is NaN for the others. None where no face has it.

    The bins reach to limits that lie near the values, so that a limit is seen beside what it lets pass.
    """
    known = np.isfinite(values)
    values, ok = values[known].astype(np.float64), ok[known]
    if not len(values):
        return None
    low, high = np.percentile(values, [1, 99])
    high = high if high > low else low + 1
    near = [limit for limit in limits if low - (high - low) <= limit <= high + (high - low)]
    low, high = min([low, *near]), max([high, *near])
    edges = np.linspace(low, high, _BINS + 1)
    inside = np.clip(values, edges[0], edges[-1])
    parts = [np.histogram(inside[chosen], edges)[0].tolist() for chosen in (ok, ~ok)]
    return Histogram(name, float(edges[0]), float(edges[-1]), float(np.median(values)), *parts, limits=limits)
