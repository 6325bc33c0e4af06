"""Whether one way is better than another: differences paired by seed and by person, and many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

DRAWS = 4000
CONFIDENCE = 0.95

Outcomes = Float[np.ndarray, "seeds rows"]
"""What came of each row (a probe: 1 where it was named rightly) with each seed."""


@dataclass(frozen=True)
class Effect:
    """A mean or a mean difference, its 95% interval, and how often chance gives as much."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided, that the value is 0; NaN where it cannot be had."""

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0


Statistic = Callable[[Float[np.ndarray, "draws seeds"], Float[np.ndarray, "draws people"]], Float[np.ndarray, " draws"]]
"""Of weights: how often each draw has each seed and each person."""


def crossed(statistic: Statistic, seeds: int, people: int, seed: int = 0, draws: int = DRAWS) -> Effect:
    """A statistic with an interval over people and seeds.

    Each draw takes people with all their rows, and seeds, both with replacement (the crossed or pigeonhole bootstrap:
    Owen 2007). The same numbers and `seed` give the same draws. The interval needs two people; with one seed it is over
    people alone.

    p is twice the share of draws on the other side of 0 than most, at least 2 / (draws + 1).
    """
    value = float(statistic(np.ones((1, seeds)), np.ones((1, people)))[0])
    if people < 2 or not np.isfinite(value):
        return Effect(value, np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    of_people = random.multinomial(people, np.full(people, 1 / people), size=draws).astype(np.float64)
    of_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(np.float64)
    drawn = statistic(of_seeds, of_people)
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Effect(value, float(low), float(high), min(1.0, 2 * (beyond + 1) / (len(drawn) + 1)))


def effect(values: Outcomes, people: Int[np.ndarray, " rows"], seed: int = 0, draws: int = DRAWS) -> Effect:
    """The mean of the values. For a difference of two ways give the differences: rows and seeds are paired then."""
    names, of_row = np.unique(people, return_inverse=True)
    if not values.size:
        return Effect(np.nan, np.nan, np.nan, np.nan)
    sums = np.stack([np.bincount(of_row, row, len(names)) for row in values])
    rows = np.bincount(of_row, minlength=len(names))

    def mean(of_seeds: np.ndarray, of_people: np.ndarray) -> np.ndarray:
        return np.einsum("ds,sp,dp->d", of_seeds, sums, of_people) / (of_seeds.sum(1) * (of_people @ rows))

    return crossed(mean, len(values), len(names), seed, draws)


def confusions(
    said: Int[np.ndarray, "seeds rows"], truth: Int[np.ndarray, " rows"], people: Int[np.ndarray, " rows"], classes: int
) -> Float[np.ndarray, "seeds people classes classes"]:
    """How often each class (third axis) was taken for each (fourth axis), by seed and person."""
    names, of_row = np.unique(people, return_inverse=True)
    counts = np.zeros((len(said), len(names), classes, classes))
    for number, row in enumerate(said):
        np.add.at(counts[number], (of_row, truth, row), 1)
    return counts


def macro_f1(counts: Float[np.ndarray, "seeds people classes classes"]) -> Statistic:
    """The mean of F1 over the classes, of the confusions of a draw; a class that a draw lacks counts for nothing."""

    def statistic(of_seeds: np.ndarray, of_people: np.ndarray) -> np.ndarray:
        drawn = np.einsum("ds,spab,dp->dab", of_seeds, counts, of_people)
        right = np.einsum("daa->da", drawn)
        total = drawn.sum(2) + drawn.sum(1)
        present = drawn.sum(2) > 0
        f1 = np.divide(2 * right, total, out=np.zeros_like(right), where=total > 0)
        return (f1 * present).sum(1) / np.maximum(present.sum(1), 1)

    return statistic


def recall(counts: Float[np.ndarray, "seeds people classes classes"], number: int) -> Statistic:
    """The share of a class that was told; NaN where a draw has none of it."""

    def statistic(of_seeds: np.ndarray, of_people: np.ndarray) -> np.ndarray:
        drawn = np.einsum("ds,spb,dp->db", of_seeds, counts[:, :, number], of_people)
        total = drawn.sum(1)
        return np.divide(drawn[:, number], total, out=np.full(len(total), np.nan), where=total > 0)

    return statistic


def minus(first: Statistic, second: Statistic) -> Statistic:
    """Their difference, of the same draws."""
    return lambda of_seeds, of_people: first(of_seeds, of_people) - second(of_seeds, of_people)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values by name (Holm 1979): below α all at once, something is wrong with a chance of α at most.

    What has no p-value (NaN) stays so, and counts for nothing.
    """
    known = sorted((p, name) for name, p in p_values.items() if np.isfinite(p))
    adjusted, highest = dict(p_values), 0.0
    for rank, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[name] = highest
    return adjusted
