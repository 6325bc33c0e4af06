"""How well scores tell people apart: error rates of verification and identification (ISO/IEC 19795-1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def auc(genuine: Float[np.ndarray, " pairs"], impostor: Float[np.ndarray, " others"]) -> float:
    """How often a genuine pair has the higher score, ties counted half; NaN without pairs of both kinds or with NaN."""
    if not len(genuine) or not len(impostor) or np.isnan(genuine).any() or np.isnan(impostor).any():
        return float("nan")
    ordered = np.sort(impostor)
    lower, not_higher = (np.searchsorted(ordered, genuine, side).sum() for side in ("left", "right"))
    return float((lower + not_higher) / 2 / (len(genuine) * len(impostor)))


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
