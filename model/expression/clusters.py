"""Kinds of expressions where there are no labels: clusters of what each face moves beyond the person's neutral."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mien.model.expression.retargeting import Faces, RetargetSettings, neutrals_by_person, retarget
from mien.model.landmarks.reference import reference_shape

FIRST_POINT = 17
"""The jaw's outline, before this, follows the mouth and the head and adds nothing."""
FIT_FACES = 20_000
"""At most so many faces decide where the clusters lie."""
_AT_ONCE = 20_000


def expression_offsets(
    points: Float[np.ndarray, "faces 68 2"], people: Int[np.ndarray, " faces"]
) -> Float[np.ndarray, "faces offsets"]:
    """What each face's brows, eyes, nose and mouth move, put on the reference face, from the front.

    The unit is the reference face's distance between the eye centres.
    """
    people = np.unique(people, return_inverse=True)[1]
    order, out = np.argsort(people, kind="stable"), np.zeros((len(points), 2 * (68 - FIRST_POINT)), np.float32)
    # By whole people, since a neutral is made of all photos of one.
    starts = np.flatnonzero(np.r_[True, np.diff(people[order]) > 0])
    first = 0
    while first < len(order):
        later = starts[starts >= first + _AT_ONCE]
        end = int(later[0]) if len(later) else len(order)
        rows = order[first:end]
        own = np.unique(people[rows], return_inverse=True)[1]
        photos = points[rows].astype(np.float64)
        neutrals = neutrals_by_person(photos, own)[own]
        out[rows] = offsets_from(photos, neutrals)
        first = end
    return out


def offsets_from(
    points: Float[np.ndarray, "faces 68 2"], neutrals: Float[np.ndarray, "faces 68 2"]
) -> Float[np.ndarray, "faces offsets"]:
    """The same where the neutrals are known."""
    rest = np.broadcast_to(reference_shape(), points.shape)
    reached = retarget(Faces(rest, rest), Faces(points, neutrals), RetargetSettings("offsets", head_pose=0.0))
    return (reached - rest)[:, FIRST_POINT:].reshape(len(points), -1)


def fitted_centres(
    offsets: Float[np.ndarray, "faces offsets"], clusters: int, seed: int = 0
) -> Float[np.ndarray, "clusters offsets"]:
    """The centres of clusters (k-means on `expression_offsets`), at most one for four faces; the same faces in the same
    order give the same."""
    from sklearn.cluster import MiniBatchKMeans  # a second and more, and seldom needed

    clusters = max(1, min(clusters, len(offsets) // 4))
    if clusters == 1:
        return np.zeros((1, offsets.shape[1]), np.float32)
    fit = offsets[:: -(-len(offsets) // FIT_FACES)]
    # scikit-learn has no types of its own; from its defaults pyright takes the options for strings.
    means: Any = MiniBatchKMeans(clusters, random_state=seed, n_init=3, batch_size=1024)  # pyright: ignore[reportArgumentType]
    return np.asarray(means.fit(fit).cluster_centers_, np.float32)


def nearest_centres(
    offsets: Float[np.ndarray, "faces offsets"], centres: Float[np.ndarray, "clusters offsets"]
) -> Int[np.ndarray, " faces"]:
    """The index of the centre that is nearest to each face; of several the first."""
    parts = [np.zeros(0, np.int64)]
    for start in range(0, len(offsets), _AT_ONCE):
        some = offsets[start : start + _AT_ONCE].astype(np.float64)
        apart = (centres.astype(np.float64) ** 2).sum(1)[None] - 2 * some @ centres.astype(np.float64).T
        parts.append(apart.argmin(1))
    return np.concatenate(parts)
