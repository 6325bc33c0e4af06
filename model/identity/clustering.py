"""Who is who among faces that nobody labelled: embeddings grouped into people, and which groups are doubtful.

Average linkage, cut at the embedder's own threshold: two groups are one person as long as their faces are, on average,
as alike as two photos of one person have to be. docs/decisions/0010 has what was measured, and against what.

A mean over pairs that reaches the threshold has a pair that does. So only groups with such a pair can ever be joined,
and the near pairs are all that has to be known beforehand: the result is that of the full matrix, at a size that grows
with the number of near pairs instead of with all of them. What is not known of two groups that may be joined is
computed then.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from mien.model.identity.likenesses import Likenesses

DOUBTFUL_WITHIN = 0.05
"""A decision is doubtful where it would change with the threshold moved by this much."""
_MIN_HALF = 2
"""Faces in the smaller half of a group that may be two people: one odd photo is no second person."""
_MAX_HALVED = 5_000
"""Faces of a group that is looked at for two people in it."""


@dataclass(frozen=True)
class Doubt:
    """A decision of the grouping that was close."""

    kind: Literal["merged", "apart"]
    """merged: one group that may be two people; apart: two groups that may be one."""
    first: tuple[int, ...]
    """Indices of the faces of one side."""
    second: tuple[int, ...]
    similarity: float
    """Mean over the pairs of faces, one of each side."""


@dataclass(frozen=True)
class Groups:
    """Faces grouped into people."""

    numbers: Int64[np.ndarray, " n"]
    """Of the group of each face, from 0 in the order of their first faces."""
    members: list[tuple[int, ...]]
    """The faces of each group."""
    close: list[tuple[int, int, float]]
    """Two groups that were not joined, and their mean similarity, where it is at most `DOUBTFUL_WITHIN` below."""


def group_people(likenesses: Likenesses, threshold: float, apart: Sequence[tuple[int, int]] = ()) -> Groups:
    """Groups are joined, the most alike first, while their mean similarity is `threshold` at least.

    Args:
        likenesses: Of the faces.
        threshold: See above.
        apart: Pairs of faces, by index, that are never in one group: two faces of one photo are two people.
    """
    linkage = _Linkage(likenesses, threshold, apart)
    linkage.run()
    members = sorted(tuple(sorted(rows)) for rows in linkage.members.values())
    number_of = {rows[0]: number for number, rows in enumerate(members)}
    numbers = np.zeros(len(likenesses), np.int64)
    for number, rows in enumerate(members):
        numbers[list(rows)] = number
    close: list[tuple[int, int, float]] = []
    for one, other, mean in linkage.close():
        first, second = sorted(number_of[min(linkage.members[group])] for group in (one, other))
        close.append((first, second, mean))
    return Groups(numbers, members, sorted(close))


class _Linkage:
    """Average linkage over near pairs."""

    def __init__(self, likenesses: Likenesses, threshold: float, apart: Sequence[tuple[int, int]]) -> None:
        self._likenesses, self._threshold = likenesses, threshold
        self._least = threshold - DOUBTFUL_WITHIN
        self.members = {row: [row] for row in range(len(likenesses))}
        self._sums: dict[int, dict[int, float]] = defaultdict(dict)
        """Of the similarities of all pairs of faces of two groups, for groups whose mean is `_least` at least."""
        self._apart: dict[int, set[int]] = defaultdict(set)
        self._heap: list[tuple[float, int, int]] = []
        for one, other in apart:
            self._apart[one].add(other)
            self._apart[other].add(one)
        near = likenesses.near(self._least)
        for one, other, similar in zip(
            near.first.tolist(), near.second.tolist(), near.similarity.tolist(), strict=True
        ):
            self._sums[one][other] = self._sums[other][one] = similar
            self._offer(one, other, similar)

    def run(self) -> None:
        """Joins until nothing is left that is alike enough."""
        heapq.heapify(self._heap)
        last = len(self._likenesses)
        while self._heap:
            _, one, other = heapq.heappop(self._heap)
            if one in self.members and other in self.members:
                self._join(one, other, last)
                last += 1

    def close(self) -> Iterator[tuple[int, int, float]]:
        """Groups that are left apart, though hardly."""
        for one, sums in self._sums.items():
            for other, total in sums.items():
                if one < other:
                    yield one, other, self._mean(one, other, total)

    def _mean(self, one: int, other: int, total: float) -> float:
        return total / (len(self.members[one]) * len(self.members[other]))

    def _offer(self, one: int, other: int, mean: float) -> None:
        if mean >= self._threshold and other not in self._apart.get(one, ()):
            heapq.heappush(self._heap, (-mean, one, other))

    def _join(self, one: int, other: int, new: int) -> None:
        del self._sums[one][other], self._sums[other][one]
        sums = self._sums.pop(one), self._sums.pop(other)
        totals = {
            third: sum(self._total(group, third, known) for group, known in zip((one, other), sums, strict=True))
            for third in sorted(sums[0].keys() | sums[1].keys())
        }
        strangers = self._apart.pop(one, set()) | self._apart.pop(other, set())
        for stranger in strangers:
            self._apart[stranger] = self._apart[stranger] - {one, other} | {new}
        if strangers:
            self._apart[new] = strangers
        self.members[new] = self.members.pop(one) + self.members.pop(other)
        for third, total in totals.items():
            for gone in (one, other):
                self._sums[third].pop(gone, None)
            mean = self._mean(new, third, total)
            if mean >= self._least:
                self._sums[third][new] = self._sums[new][third] = total
                self._offer(third, new, mean)

    def _total(self, group: int, third: int, known: dict[int, float]) -> float:
        if third in known:
            return known[third]
        rows = np.array(self.members[group]), np.array(self.members[third])
        return float(np.sum(self._likenesses.between(*rows), dtype=np.float64))


def doubts(likenesses: Likenesses, groups: Groups, threshold: float) -> list[Doubt]:
    """The close decisions among groups, the closest first."""
    apart = [
        Doubt("apart", groups.members[one], groups.members[other], similar) for one, other, similar in groups.close
    ]
    found = [*_merged(likenesses, groups, threshold + DOUBTFUL_WITHIN), *apart]
    return sorted(found, key=lambda doubt: abs(doubt.similarity - threshold))


def _merged(likenesses: Likenesses, groups: Groups, max_similarity: float) -> Iterator[Doubt]:
    for members in groups.members:
        if not 2 * _MIN_HALF <= len(members) <= _MAX_HALVED:
            continue
        rows = np.array(members)
        similar = likenesses.between(rows, rows)
        if similar.min() >= max_similarity:
            continue
        halves = _halves(similar)
        first, second = rows[halves], rows[~halves]
        between = float(similar[np.ix_(halves, ~halves)].mean())
        if between < max_similarity and min(len(first), len(second)) >= _MIN_HALF:
            yield Doubt("merged", tuple(first.tolist()), tuple(second.tolist()), between)


def _halves(similar: np.ndarray) -> np.ndarray:
    """Which faces of a group average linkage joins last with the others."""
    from scipy.cluster.hierarchy import fcluster, linkage  # seldom needed
    from scipy.spatial.distance import squareform

    distances = similar.max() - (similar + similar.T) / 2
    np.fill_diagonal(distances, 0)
    return fcluster(linkage(squareform(distances, checks=False), "average"), 2, "maxclust") == 1
