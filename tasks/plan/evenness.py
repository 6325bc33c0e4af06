"""How evenly a plan uses what there is: the photos of each person, the drivers, the expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


def normalised_entropy(counts: Int[np.ndarray, " groups"]) -> float:
    """−Σ p·log p / log n of the shares of n groups: 1 where all come alike, 0 where only one comes.

    1 for a single group: it cannot be covered more evenly.
    """
    if len(counts) < 2 or not counts.sum():
        return 1.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def evenness(counts: np.ndarray) -> float:
    """Normalised entropy of pairs over what they may use; of fewer pairs than there is to use, no more is expected than
    that each uses something else."""
    reachable = min(len(counts), int(counts.sum()))
    return normalised_entropy(np.sort(counts)[::-1][: max(1, reachable)])


@dataclass(frozen=True)
class Entropies:
    """1 is even, 0 that one is always used."""

    expressions: float = 1.0
    """Mean over the identities of the evenness of their pairs over the groups of expressions."""
    sources: float = 1.0
    """The same over their photos that may be sources."""
    drivers: float = 1.0
    """Entropy of all pairs over all drivers, over that of the most even use that leaves each expression its pairs:
    where few drivers show an expression, they come more often than those of the others."""

    def text(self) -> str:
        """For users."""
        return f"expressions {self.expressions:.2f}, sources {self.sources:.2f}, drivers {self.drivers:.2f}"


class PlanEvenness:
    """Counts the pairs of one identity after another."""

    def __init__(self, group_of_driver: np.ndarray, groups: int) -> None:
        """For each driver the number of its group, and how many groups there are."""
        self.groups = np.zeros(groups, np.int64)
        self.pairs = 0
        self._drivers_of_group = np.bincount(group_of_driver, minlength=groups)
        self._drivers = np.zeros(len(group_of_driver), np.int64)
        self._of_identities: list[tuple[float, float]] = []

    def count(self, groups: np.ndarray, sources: np.ndarray, drivers: np.ndarray) -> None:
        """Adds an identity: its pairs by group and by photo, and the row of the driver of each."""
        self.groups += groups
        self.pairs += len(drivers)
        np.add.at(self._drivers, drivers, 1)
        if len(drivers):  # of nobody else there is nothing to be even
            self._of_identities.append((evenness(groups), evenness(sources)))

    def entropies(self) -> Entropies:
        """Of what was counted."""
        if not self._of_identities:
            return Entropies()
        expressions, sources = np.mean(self._of_identities, axis=0).tolist()
        sizes = zip(self.groups.tolist(), self._drivers_of_group.tolist(), strict=True)
        best = _entropy(np.concatenate([_spread(pairs, drivers) for pairs, drivers in sizes]))
        return Entropies(expressions, sources, _entropy(self._drivers) / best if best else 1.0)


def _spread(pairs: int, drivers: int) -> np.ndarray:
    """Pairs by driver, as evenly as can be."""
    if not drivers:
        return np.zeros(0, np.int64)
    return pairs // drivers + (np.arange(drivers) < pairs % drivers)


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log(shares)).sum())
