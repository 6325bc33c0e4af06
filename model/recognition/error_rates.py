"""How well scores tell people apart: error rates of verification and identification (ISO/IEC 19795-1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata


def auc(genuine: Float[np.ndarray, " pairs"], impostor: Float[np.ndarray, " others"]) -> float:
    """How often a genuine pair has the higher score, ties counted half; NaN without pairs of both kinds."""
    if not len(genuine) or not len(impostor):
        return float("nan")
    ranks = rankdata(np.concatenate([genuine, impostor]))[: len(genuine)]
    return float((ranks.sum() - len(genuine) * (len(genuine) + 1) / 2) / (len(genuine) * len(impostor)))


def threshold_at(impostor: Float[np.ndarray, " others"], fmr: float) -> float:
    """The lowest threshold at which at most this share of the impostor pairs match (score ≥ threshold)."""
    allowed = int(np.floor(fmr * len(impostor) + 1e-9))
    ordered = np.sort(impostor)[::-1]
    if allowed >= len(ordered):
        return float("-inf")
    return float(np.nextafter(ordered[allowed], np.inf))


def best_person(scores: Float[np.ndarray, "probes people"]) -> Int[np.ndarray, " probes"]:
    """The person with the highest score for each probe; the first of equals."""
    return scores.argmax(1)
