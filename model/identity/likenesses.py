"""How alike faces are, without a matrix of all of them: the near pairs, and blocks as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64

from mien.model.errors import ModelError

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""How alike the people of embeddings are, pair by pair, as `FaceDetector.similarity`."""

EXACT_FACES = 20_000
"""So many faces are compared each with each; of more, those whose embeddings lie in neighbouring cells of an index."""
_ROWS_AT_ONCE = 256
_PAIRS_AT_ONCE = 2**20
_CELLS = 4
"""Of the index, times the square root of the number of faces."""
_PROBED = 32
"""Cells that are looked into for the neighbours of a face."""
_PROBES, _WITHIN = 512, 1e-4
"""Pairs by which the measure behind a similarity is recognised, and how near it has to come."""


class NearPairs(NamedTuple):
    """Pairs of faces that are alike, each once, the face of the lower row first, in the order of the rows."""

    first: Int64[np.ndarray, " rows"]
    second: Int64[np.ndarray, " rows"]
    similarity: Float32[np.ndarray, " rows"]


@runtime_checkable
class Likenesses(Protocol):
    """Of some faces, by their rows."""

    def __len__(self) -> int: ...

    def between(
        self, first: Int64[np.ndarray, " first"], second: Int64[np.ndarray, " second"]
    ) -> Float[np.ndarray, "first second"]:
        """Of each of some faces with each of others."""
        ...

    def near(self, least: float) -> NearPairs:
        """The pairs of faces that are at least so alike."""
        ...


@dataclass(frozen=True)
class MatrixLikenesses:
    """Of faces whose similarities are all known."""

    similar: Float32[np.ndarray, "n n"]

    def __len__(self) -> int:
        return len(self.similar)

    def between(
        self, first: Int64[np.ndarray, " first"], second: Int64[np.ndarray, " second"]
    ) -> Float[np.ndarray, "first second"]:
        """See `Likenesses`."""
        return self.similar[np.ix_(first, second)]

    def near(self, least: float) -> NearPairs:
        """See `Likenesses`."""
        first, second = np.nonzero(np.triu(self.similar >= least, 1))
        return NearPairs(first, second, self.similar[first, second].astype(np.float32))


@dataclass(frozen=True)
class EmbeddingLikenesses:
    """Of faces with these embeddings."""

    embeddings: Float32[np.ndarray, "n d"]
    similarity: Similarity

    def __len__(self) -> int:
        return len(self.embeddings)

    def between(
        self, first: Int64[np.ndarray, " first"], second: Int64[np.ndarray, " second"]
    ) -> Float[np.ndarray, "first second"]:
        """See `Likenesses`."""
        shape = (len(first), len(second), self.embeddings.shape[1])
        one = np.broadcast_to(self.embeddings[first][:, None], shape)
        return np.asarray(self.similarity(one, np.broadcast_to(self.embeddings[second][None], shape)))

    def near(self, least: float) -> NearPairs:
        """See `Likenesses`; some may be missing where there are more than `EXACT_FACES`.

        Raises:
            ModelError: there are too many faces for each to be compared with each, and nothing that finds neighbours.
        """
        return self._each_with_each(least) if len(self) <= EXACT_FACES else self._neighbours(least)

    def _each_with_each(self, least: float) -> NearPairs:
        parts = [_NO_PAIRS]
        everything = np.arange(len(self))
        for start in range(0, len(self), _ROWS_AT_ONCE):
            rows = everything[start : start + _ROWS_AT_ONCE]
            similar = np.stack([self.between(rows[[number]], everything[start:])[0] for number in range(len(rows))])
            first, second = np.nonzero(np.triu(similar >= least, 1))
            parts.append(NearPairs(first + start, second + start, similar[first, second].astype(np.float32)))
        return NearPairs(*map(np.concatenate, zip(*parts, strict=True)))

    def _neighbours(self, least: float) -> NearPairs:
        """By an index of cells (Jégou et al. 2011, "IVF"): for each face those in the nearest cells, within the radius
        that the similarity stands for."""
        index, points, radius = self._index(least)
        limits, _, found = index.range_search(points, radius**2)
        first = np.repeat(np.arange(len(self)), np.diff(limits).astype(np.int64))
        # A pair may be found from one of its faces alone.
        pairs = np.stack([np.minimum(first, found), np.maximum(first, found)])[:, first != found]
        first, second = np.unique(pairs, axis=1)
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            given = self.embeddings[first[some]], self.embeddings[second[some]]
            parts.append(np.asarray(self.similarity(*given), np.float32))
        similar = np.concatenate(parts)
        near = similar >= least
        return NearPairs(first[near], second[near], similar[near])

    def _index(self, least: float) -> tuple[Any, Float32[np.ndarray, "n d"], float]:
        """Of cells, filled; its points, and the distance in it that stands for a similarity."""
        try:
            import faiss
        except ImportError:
            raise ModelError(
                f"{len(self)} faces are more than the {EXACT_FACES} that are compared each with each: "
                f"pip install 'mien[cluster]' brings an index, or prepare them as several sets"
            ) from None
        points, radius = self._as_distance(least)
        cells = int(_CELLS * np.sqrt(len(points)))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], cells)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # sums of several threads have another order each time
        try:
            index.train(points)
        finally:
            faiss.omp_set_num_threads(threads)
        index.add(points)
        index.nprobe = min(cells, _PROBED)
        return index, points, radius

    def _as_distance(self, least: float) -> tuple[Float32[np.ndarray, "n d"], float]:
        """Points whose Euclidean distance tells the similarity, and the distance that stands for one.

        Raises:
            ModelError: the similarity is neither 1 − distance nor a cosine, so that no index knows it.
        """
        draw = np.random.default_rng(0)
        first, second = (self.embeddings[draw.integers(len(self), size=_PROBES)] for _ in range(2))
        similar = np.asarray(self.similarity(first, second))
        if np.allclose(similar, 1 - np.linalg.norm(first - second, axis=1), atol=_WITHIN):
            return self.embeddings, 1 - least
        one, other, points = (_normalised(each) for each in (first, second, self.embeddings))
        if np.allclose(similar, (one * other).sum(1), atol=_WITHIN):
            return points, float(np.sqrt(max(0.0, 2 - 2 * least)))
        raise ModelError(
            f"{len(self)} faces are more than the {EXACT_FACES} that are compared each with each, and no index knows "
            f"this detector's similarity: prepare them as several sets, or label them"
        )


def _normalised(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


_NO_PAIRS = NearPairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
