"""How sure a measured mean is: the bootstrap over people.

Pairs of one person resemble each other, so a hundred pairs of five people say little more of a sixth than five pairs
do. The interval comes from drawing people, each with all their pairs (the cluster bootstrap: Davison and Hinkley,
Bootstrap Methods and their Application, 1997, 3.8), and the percentiles of what is computed from each draw.

A statistic is a function of weights, a row of them per draw: how often the draw has each pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

Weights: TypeAlias = Float[np.ndarray, "draws rows"]
Results: TypeAlias = Float[np.ndarray, " draws"]
Statistic: TypeAlias = Callable[[Weights], Results]

DRAWS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic and its 95% confidence interval; NaN where it cannot be had (an interval needs two people)."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def estimate(statistic: Statistic, people: Int[np.ndarray, " rows"], seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The statistic of all rows, and its interval over draws of people (a number per row: whose it is).

    The same people and seed give the same draws, whatever the statistic.
    """
    value = float(statistic(np.ones((1, len(people))))[0])
    names, of_row = np.unique(people, return_inverse=True)
    if len(names) < 2:
        return Estimate(value, np.nan, np.nan)
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    drawn = statistic(counts[:, of_row].astype(np.float64))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))


def mean_of(values: Float[np.ndarray, " rows"]) -> Statistic:
    """Mean over the rows that have a value."""
    present = np.isfinite(values)
    filled = np.where(present, values, 0)
    return lambda weights: _ratio(weights @ filled, weights @ present.astype(np.float64))


def slope_of(asked: Float[np.ndarray, " rows"], reached: Float[np.ndarray, " rows"]) -> Statistic:
    """Least-squares slope (with intercept) of what was reached against what was asked: 1 where all of it was.

    Σw(x − x̄)(y − ȳ) / Σw(x − x̄)²
    """
    present = np.isfinite(asked) & np.isfinite(reached)
    x, y = (np.where(present, column, 0) for column in (asked, reached))

    def slope(weights: Weights) -> Results:
        total = weights @ present.astype(np.float64)
        mean_x, mean_y = _ratio(weights @ x, total), _ratio(weights @ y, total)
        variance = weights @ (x * x) - total * mean_x**2
        covariance = weights @ (x * y) - total * mean_x * mean_y
        return _ratio(covariance, np.where(variance > 1e-12, variance, 0))

    return slope


def average_of(*statistics: Statistic) -> Statistic:
    """Their mean."""
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def difference_of(first: Statistic, second: Statistic) -> Statistic:
    """First − second, of the same draws."""
    return lambda weights: first(weights) - second(weights)


def _ratio(above: Results, below: Results) -> Results:
    """NaN where it would divide by 0."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
