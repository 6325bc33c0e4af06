"""Limits of the gate from measures of real photos, robust against a few wrong ones.

A limit of similarity is that of real photos. A limit of how a face looks is the built-in one of `GateLimits`, widened
where the real photos of the set differ more from one another, but never beyond what a damaged face reaches: a generator
that has hardly been trained is at 0.79 to 1.02 octaves of texture, at a contrast of 0.49 to 0.65 and at a sharpness of
3.9 to 55 times the source's (120 faces; docs/quality-gate.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from jaxtyping import Float

from mien.model.quality.face_measures import FaceMeasures
from mien.model.quality.gate import GateLimits

DEVIATIONS = 2.33
"""Of a normal distribution 1% lie further from the median on one side."""
_NORMAL_QUARTILE = 0.6744897501960817
"""How many standard deviations the quartiles of a normal distribution lie from its median."""

_CAPS = {
    "min_sharpness_ratio": 0.15,
    "max_sharpness_ratio": 6.0,
    "min_mouth_sharpness_ratio": 0.1,
    "max_mouth_sharpness_ratio": 6.0,
    "min_eyes_sharpness_ratio": 0.1,
    "max_eyes_sharpness_ratio": 12.0,
    "max_texture_error": 0.78,
    "min_contrast_ratio": 0.66,
    "max_colour_difference": 30.0,
}
"""No set opens these limits further."""
CALIBRATED = frozenset({"min_identity_similarity", *_CAPS})
"""Names of the limits that are found on a set."""
_RATIOS = ("sharpness_ratio", "mouth_sharpness_ratio", "eyes_sharpness_ratio", "contrast_ratio")
"""Measures that are compared on a logarithmic scale."""


def by_measure(found: Sequence[FaceMeasures]) -> dict[str, list[float]]:
    """The values of each measure that is a number; what was not measured is left out."""
    names = [field.name for field in fields(FaceMeasures) if field.name != "asked"]
    columns = {name: [value for each in found if (value := getattr(each, name)) is not None] for name in names}
    return {name: values for name, values in columns.items() if values}


def calibrated_limits(same_person: Float[np.ndarray, " n"], real: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Limits by name, of similarities of two photos of one person and of measures of real photos."""
    limits = {"min_identity_similarity": robust_low(same_person, DEVIATIONS)}
    for name, cap in _CAPS.items():
        side, _, measure = name.partition("_")
        if measure not in real:
            continue
        values, usual = np.asarray(real[measure], np.float64), float(getattr(GateLimits, name))
        if measure in _RATIOS:
            values = np.log(np.maximum(values, 1e-6))
        reached = robust_low(values, DEVIATIONS) if side == "min" else robust_high(values, DEVIATIONS)
        reached = float(np.exp(reached)) if measure in _RATIOS else reached
        limits[name] = max(cap, min(usual, reached)) if side == "min" else min(cap, max(usual, reached))
    return {name: round(value, 4) for name, value in limits.items()}


def robust_low(values: Float[np.ndarray, " n"], deviations: float) -> float:
    """So many standard deviations below the median, as the lower quartile tells them: outliers hardly move it.

    Of 100 normally distributed values 4 that are far too low move the limit of 2.33 deviations by 0.4 deviations; the
    first percentile itself would be one of them.
    """
    low, middle = np.quantile(values, [0.25, 0.5])
    return float(middle - deviations * (middle - low) / _NORMAL_QUARTILE)


def robust_high(values: Float[np.ndarray, " n"], deviations: float) -> float:
    """So many standard deviations above the median, as the upper quartile tells them."""
    return -robust_low(-values, deviations)
