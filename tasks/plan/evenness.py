"""How evenly a plan uses what there is: the photos of each person, the drivers, the expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.model.pair_planning import normalised_entropy


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
    """Of all pairs over all drivers."""

    def text(self) -> str:
        """For users."""
        return f"expressions {self.expressions:.2f}, sources {self.sources:.2f}, drivers {self.drivers:.2f}"


class PlanEvenness:
    """Counts the pairs of one identity after another."""

    def __init__(self, groups: int, drivers: int) -> None:
        self.groups = np.zeros(groups, np.int64)
        self.pairs = 0
        self._drivers = np.zeros(drivers, np.int64)
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
        return Entropies(expressions, sources, evenness(self._drivers))
