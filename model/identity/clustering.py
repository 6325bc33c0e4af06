"""Who is who among faces that nobody labelled: embeddings grouped into people, and which groups are doubtful.

Average linkage, cut at the embedder's own threshold: two groups are one person as long as their faces are, on average,
as alike as two photos of one person have to be. docs/decisions/0010 has what was measured, and against what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int64

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""How alike the people of embeddings are, pair by pair, as `FaceDetector.similarity`."""

Matrix = Float32[np.ndarray, "n n"]

MAX_FACES = 15_000
"""Faces that can be grouped at once: every face is compared with every other, at 12 to 20 bytes a pair."""
DOUBTFUL_WITHIN = 0.05
"""A decision is doubtful where it would change with the threshold moved by this much."""
_MIN_HALF = 2
"""Faces in the smaller half of a group that may be two people: one odd photo is no second person."""
_ROWS_AT_ONCE = 256


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


def similarity_matrix(embeddings: Float32[np.ndarray, "n d"], similarity: Similarity) -> Matrix:
    """Of each face with each other one, computed row by row: n × n × d would not fit into memory."""
    out = np.empty((len(embeddings), len(embeddings)), np.float32)
    for row, embedding in enumerate(embeddings):
        out[row] = similarity(np.broadcast_to(embedding, embeddings.shape), embeddings)
    return out


def group_people(similar: Matrix, threshold: float, apart: Sequence[tuple[int, int]] = ()) -> Int64[np.ndarray, " n"]:
    """The number of its group for each face: groups are joined while their mean similarity is `threshold` at least.

    Args:
        similar: Similarity of each face with each other one.
        threshold: See above.
        apart: Pairs of faces, by index, that are never in one group: two faces of one photo are two people.
    """
    if not len(similar) or similar.max() < threshold:
        return np.arange(len(similar))
    distances = _distances(similar)
    limit = float(similar.max()) - threshold
    if apart:
        # So far that the mean over all pairs of faces of two groups is beyond the limit, with one such pair among them.
        first, second = np.array(apart).T
        distances[first, second] = distances[second, first] = (1 + max(limit, 0)) * len(similar) ** 2
    return _linked(distances, {"n_clusters": None, "distance_threshold": limit})


def _distances(similar: Matrix) -> Matrix:
    distances = similar.max() - similar
    np.fill_diagonal(distances, 0)
    return distances


def _linked(distances: Matrix, stop: dict[str, Any]) -> Int64[np.ndarray, " n"]:
    if len(distances) <= 1:
        return np.zeros(len(distances), np.int64)
    from sklearn.cluster import AgglomerativeClustering  # more than all else that a worker imports, and seldom needed

    found = AgglomerativeClustering(metric="precomputed", linkage="average", **stop).fit(distances)
    return found.labels_.astype(np.int64)


def doubts(similar: Matrix, groups: Int64[np.ndarray, " n"], threshold: float) -> list[Doubt]:
    """The close decisions among groups, the closest first."""
    margin = DOUBTFUL_WITHIN
    found = [*_merged(similar, groups, threshold + margin), *_apart(similar, groups, threshold - margin)]
    return sorted(found, key=lambda doubt: abs(doubt.similarity - threshold))


def _merged(similar: Matrix, groups: Int64[np.ndarray, " n"], max_similarity: float) -> list[Doubt]:
    out: list[Doubt] = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) < 2 * _MIN_HALF:
            continue
        halves = _linked(_distances(similar[np.ix_(members, members)]), {"n_clusters": 2})
        first, second = members[halves == 0], members[halves == 1]
        between = float(similar[np.ix_(first, second)].mean())
        if between < max_similarity and min(len(first), len(second)) >= _MIN_HALF:
            out.append(Doubt("merged", tuple(first.tolist()), tuple(second.tolist()), between))
    return out


def _apart(similar: Matrix, groups: Int64[np.ndarray, " n"], min_similarity: float) -> list[Doubt]:
    means = group_means(similar, groups)
    first, second = np.nonzero(np.triu(means >= min_similarity, 1))
    names = np.unique(groups)
    return [
        Doubt("apart", _members(groups, int(names[a])), _members(groups, int(names[b])), float(means[a, b]))
        for a, b in zip(first, second, strict=True)
    ]


def _members(groups: Int64[np.ndarray, " n"], group: int) -> tuple[int, ...]:
    return tuple(np.flatnonzero(groups == group).tolist())


def group_means(similar: Matrix, groups: Int64[np.ndarray, " n"]) -> Float[np.ndarray, "groups groups"]:
    """Mean similarity of the faces of each two groups, in the order of their numbers."""
    order = np.argsort(groups, kind="stable")
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rows = np.empty((len(groups), len(starts)))
    for start in range(0, len(groups), _ROWS_AT_ONCE):
        block = order[start : start + _ROWS_AT_ONCE]
        rows[start : start + len(block)] = np.add.reduceat(similar[block][:, order], starts, axis=1)
    return np.add.reduceat(rows, starts, axis=0) / np.outer(counts, counts)
