"""Which photo of a person is the source of a pair.

Each photo of a person comes once before any comes again, so ten pairs of a person with forty photos show ten of them.
In turns, a hash says in which order a pair prefers the photos; or the photo is preferred whose own landmarks are
nearest to those that are asked for, and may then come more often than the others if that is allowed.

A pair may have further sources: other photos of the person that look like the source, those first whose landmarks are
nearest to what is asked for. They follow from the pair alone, whatever the order of the pairs is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float16, Int

SourceChoice = Literal["nearest", "turns", "one"]
CHOICES: tuple[SourceChoice, ...] = get_args(SourceChoice)


@dataclass(frozen=True)
class FaceShapes:
    """What sources show, and what drivers ask for: their expressions and head poses on one common face
    (`model/expression/common_face.py`), in distances between its eye centres. Of half precision: there may be a million
    faces."""

    sources: Float16[np.ndarray, "sources values"]
    drivers: Float16[np.ndarray, "drivers values"]

    def distances(self, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m n"]:
        """How far the landmarks of each source are from those that each driver asks for: root mean square over the
        landmarks."""
        shown, asked = self.sources[sources].astype(np.float64), self.drivers[drivers].astype(np.float64)
        apart = np.stack([((asked - one) ** 2).sum(1) for one in shown], axis=1) if len(shown) else asked[:, :0]
        return np.sqrt(apart / max(1, shown.shape[1] / 2))


_BEYOND_GROUPS = 0.1
"""Of the way from the similarity that groups faces as one person to that of a photo with itself."""


def look_similarity(group_similarity: float) -> float:
    """How similar two photos of a person are at least that show one look, such as glasses or none.

    It is more than what a person is recognised by. docs/decisions/0029 has what was measured with dlib's embedding.
    """
    return group_similarity + _BEYOND_GROUPS * (1 - group_similarity)


@dataclass(frozen=True)
class FaceLooks:
    """Which photos of a person look alike. Expressions hardly change an embedding; glasses, beards and light do."""

    embeddings: Float16[np.ndarray, "sources values"]
    """Of half precision: there may be a million faces."""
    similarity: Callable[[Float[np.ndarray, "n n d"], Float[np.ndarray, "n n d"]], Float[np.ndarray, "n n"]]
    """That of the detector which made them."""
    least: float
    """Of two photos that look alike."""

    def alike(self, sources: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n n"]:
        """Whether each two of some photos do; each looks like itself."""
        shown = self.embeddings[sources].astype(np.float64)
        each, other = np.broadcast_arrays(shown[:, None], shown[None])
        found = np.asarray(self.similarity(each, other)) >= self.least
        return found | np.eye(len(sources), dtype=np.bool_)


def nearness_ranks(distances: Float[np.ndarray, "m n"]) -> Int[np.ndarray, "m n"]:
    """1 for the source that is nearest to what is asked for, 2 for the next; infinite distances come last."""
    return np.argsort(np.argsort(distances, axis=1, kind="stable"), axis=1, kind="stable") + 1


MAX_SOURCES = 16
"""Photos that a face is made from, at most."""


def further_sources(distances: Float[np.ndarray, "m n"], count: int) -> Int[np.ndarray, "m count"]:
    """For each row the indices of the nearest, at most `count`, the nearest first; -1 where no finite distance is left.

    Of those that are alike the first comes first.
    """
    found = np.full((len(distances), count), -1, np.int64)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    known = np.isfinite(np.take_along_axis(distances, order, axis=1))
    found[:, : order.shape[1]] = np.where(known, order, -1)
    return found


def in_preference(
    preferences: Int[np.ndarray, "pairs n"],
    fits: Bool[np.ndarray, "pairs n"],
    drivers: Int[np.ndarray, " pairs"],
    max_share: float,
) -> Int[np.ndarray, " pairs"]:
    """For each pair the index of its source: of those that fit the first in its preferences that the pairs before it
    have not used more often than `max_share` times the mean, rounded down; where all were, the one that was used least.

    With 1 each source is used once before any is used again. A driver that comes again gets another source each time.
    A pair takes what is left of the pairs before it, so pairs that follow change nothing. One more source changes a
    few: a pair that loses its source takes the next of its own order.
    """
    uses = [0] * preferences.shape[1]
    before: dict[int, list[int]] = {}
    chosen: list[int] = []
    everywhere = bool(fits.all())
    rows = zip(preferences.tolist(), fits.tolist(), drivers.tolist(), strict=True)
    for rank, (order, allowed, driver) in enumerate(rows):
        known = before.setdefault(driver, [])
        usual = int(max_share * rank / len(uses))
        best = _first_below(order, None if everywhere else allowed, known, uses, usual)
        known.append(best)
        chosen.append(best)
        uses[best] += 1
    return np.array(chosen, np.int64)


def _first_below(
    order: Sequence[int], allowed: Sequence[bool] | None, known: Sequence[int], uses: Sequence[int], usual: int
) -> int:
    best = -1
    for source in order:
        if (allowed is not None and not allowed[source]) or source in known:
            continue
        if uses[source] <= usual:
            return source
        if best < 0 or uses[source] < uses[best]:
            best = source
    return best
