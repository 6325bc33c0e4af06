"""The people of a set as the mean embeddings of their photos, and who of them a face is most like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from mien.model.identity.likenesses import Similarity

Batch: TypeAlias = tuple[Sequence[str], np.ndarray]
"""Labels, and an embedding for each."""


@dataclass(frozen=True)
class People:
    """Mean embeddings by person, in the order of their names."""

    rows: dict[str, int]
    means: Float[np.ndarray, "people d"]
    alike: Float[np.ndarray, " people"]
    """Mean similarity of a person's photos to the mean of their others; NaN for a person of one photo."""

    @staticmethod
    def of(people: Sequence[str], embeddings: Float[np.ndarray, "n d"], similarity: Similarity) -> People:
        """From the photos of some people, a label for each."""
        return People.of_batches(lambda: iter([(people, embeddings)]), similarity)

    @staticmethod
    def of_batches(read: Callable[[], Iterator[Batch]], similarity: Similarity) -> People:
        """From labels and embeddings in batches, which are read three times: memory grows with the people alone."""
        names = sorted({name for labels, _ in read() for name in labels})
        rows = {name: row for row, name in enumerate(names)}
        sums, counts = np.zeros((len(rows), 0)), np.zeros(len(rows), np.int64)
        for labels, embeddings in read():
            of = [rows[label] for label in labels]
            sums = sums if sums.shape[1] else np.zeros((len(rows), embeddings.shape[1]))
            np.add.at(sums, of, embeddings)
            np.add.at(counts, of, 1)
        alike = np.zeros(len(rows))
        for labels, embeddings in read():
            of = np.array([rows[label] for label in labels])
            several = counts[of] > 1
            of, photos = of[several], embeddings[several].astype(np.float64)
            others = (sums[of] - photos) / (counts[of] - 1)[:, None]  # without the photo itself
            np.add.at(alike, of, similarity(photos, others))
        means = sums / np.maximum(counts, 1)[:, None]
        return People(rows, means, np.where(counts > 1, alike / np.maximum(counts, 1), np.nan))

    def own(self, embedding: Float[np.ndarray, " d"], person: str | None, similarity: Similarity) -> float | None:
        """Similarity to the person's own photos; None for a person who is not known."""
        if person is None or person not in self.rows:
            return None
        return float(similarity(embedding, self.means[self.rows[person]]))

    def nearest_other(
        self, embedding: Float[np.ndarray, " d"], person: str | None, similarity: Similarity
    ) -> float | None:
        """Similarity to the photos of the most similar other person; None where there is none, or the person is not
        known. Those who cannot be told from the person (`confused`) do not count: two labels may be one person."""
        if person is None or person not in self.rows or len(self.rows) < 2:
            return None
        own = self.rows[person]
        others = ~self._confused_with(own, similarity)
        others[own] = False
        if not others.any():
            return None
        means = self.means[others]
        return float(similarity(np.broadcast_to(embedding, means.shape), means).max())

    def confused(self, similarity: Similarity) -> list[tuple[str, str]]:
        """Pairs of people who are as alike as the photos of one person are: the embedder cannot tell them apart."""
        names = list(self.rows)
        return [
            (names[first], names[second])
            for first in range(len(names))
            for second in np.flatnonzero(self._confused_with(first, similarity))
            if second > first
        ]

    def _confused_with(self, row: int, similarity: Similarity) -> Bool[np.ndarray, " people"]:
        known = self.alike[np.isfinite(self.alike)]
        if not len(known):
            return np.zeros(len(self.means), bool)
        near = np.asarray(similarity(np.broadcast_to(self.means[row], self.means.shape), self.means))
        confused = near >= np.median(known)
        confused[row] = False
        return confused
