"""Do faces look like the people they are said to show: each embedding against the means of all labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from mien.model.identity.likenesses import Similarity


@dataclass(frozen=True)
class Labelled:
    """How a face fits its label; similarities are to the mean embedding of a person's photos."""

    own: float | None
    """To the other photos of its label; None if there are none."""
    other: float | None
    """To the most similar other label; None if there is none."""
    nearest: str | None
    """That label."""


@dataclass(frozen=True)
class CheckLimits:
    """When a face and its label disagree."""

    same_person: float
    """Less similar than this to its own people is far from them."""
    taken_for: float
    """A face that is alone under its label, and this similar to another one, is taken for that person."""


def compare_labels(
    embeddings: Float32[np.ndarray, "n d"], labels: Sequence[str], similarity: Similarity
) -> list[Labelled]:
    """Each face against its own label, without itself, and against all others."""
    names, of = np.unique(np.array(labels, dtype=object), return_inverse=True)
    sums, counts = _sums(embeddings, of.astype(np.int64), len(names))
    means = sums / counts[:, None]
    return [
        _labelled(embedding, int(label), names, means, (sums[label] - embedding, int(counts[label]) - 1), similarity)
        for embedding, label in zip(embeddings, of, strict=True)
    ]


def _sums(
    embeddings: Float32[np.ndarray, "n d"], of: Int64[np.ndarray, " n"], labels: int
) -> tuple[Float[np.ndarray, "labels d"], Int64[np.ndarray, " labels"]]:
    sums = np.zeros((labels, embeddings.shape[1]), np.float64)
    np.add.at(sums, of, embeddings)
    return sums, np.bincount(of, minlength=labels).astype(np.int64)


def _labelled(
    embedding: np.ndarray,
    label: int,
    names: np.ndarray,
    means: np.ndarray,
    rest: tuple[np.ndarray, int],
    similarity: Similarity,
) -> Labelled:
    total, others = rest
    own = float(similarity(embedding.astype(np.float64), total / others)) if others else None
    if len(names) == 1:
        return Labelled(own, None, None)
    alike = np.array(similarity(np.broadcast_to(embedding, means.shape), means), np.float64)
    alike[label] = -np.inf
    nearest = int(alike.argmax())
    return Labelled(own, float(alike[nearest]), str(names[nearest]))


def disagreement(face: Labelled, label: str, limits: CheckLimits) -> str | None:
    """In words with their numbers why a face and its label disagree; None if they agree."""
    if face.own is None:
        if face.other is not None and face.other >= limits.taken_for:
            return f"looks like {face.nearest} (similarity {face.other:.2f}); {label} has no other photo"
        return None
    if face.other is not None and face.other > face.own:
        return f"nearer to {face.nearest} (similarity {face.other:.2f}) than to {label} ({face.own:.2f})"
    if face.own < limits.same_person:
        return f"far from the other photos of {label} (similarity {face.own:.2f} is below {limits.same_person:g})"
    return None
