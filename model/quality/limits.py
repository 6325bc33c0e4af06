"""Which faces are good enough: limits of the measures of `measures.py`, and the reason of a face that breaks one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class QualityLimits:
    """Limits of the measures of a face. The defaults reject what is of no use, not what is merely poor."""

    least_score: float = 0.0
    """Of the detector, in its own unit: dlib's margin starts at 0, SCRFD's confidence at 0.5."""
    least_face_px: float = 32.0
    """Side of a square as large as the detector's box, in source pixels."""
    least_sharpness: float = 0.005
    """Variance of the Laplacian over that of the grey values."""
    least_brightness: float = 0.08
    most_brightness: float = 0.92
    """Mean grey value of the face, from 0 to 1."""
    most_clipped: float = 0.5
    """Share of the face's pixels that are black or white."""
    most_yaw_degrees: float = 50.0
    most_pitch_degrees: float = 50.0
    most_roll_degrees: float = 60.0
    """How far the head may turn to the side, up or down, and be tilted."""
    most_shape_error: float = 0.3
    """Distance of the landmarks to the reference face, in distances between the eye centres."""
    most_landmark_scatter: float = 0.06
    """How far several looks at the landmarks may lie apart, as a share of the inter-ocular distance; for dlib's three
    frames. Of 1,624 faces those above it (0.066, 0.070, 0.075) have lips or jaw in the wrong place, and those below
    (0.046 at most) have not; docs/decisions/0009."""
    most_outside: float = 0.0
    """Share of the landmarks of eyes and lips outside the photo or the crop."""
    most_duplicate_bits: int = 6
    """Of 256, in which the perceptual hashes of two photos of a person differ, so that they are taken for one; −1 keeps
    all but copies of the same bytes."""


_LEAST: dict[str, tuple[str, str]] = {
    "score": ("least_score", "detector score"),
    "face_px": ("least_face_px", "face size in px"),
    "sharpness": ("least_sharpness", "sharpness"),
    "brightness": ("least_brightness", "brightness"),
}
_MOST: dict[str, tuple[str, str]] = {
    "brightness": ("most_brightness", "brightness"),
    "clipped": ("most_clipped", "clipped share"),
    "yaw": ("most_yaw_degrees", "yaw in degrees"),
    "pitch": ("most_pitch_degrees", "pitch in degrees"),
    "roll": ("most_roll_degrees", "roll in degrees"),
    "outside": ("most_outside", "share of eyes and mouth outside"),
    "landmark_scatter": ("most_landmark_scatter", "landmark scatter"),
    "shape_error": ("most_shape_error", "landmark shape error"),
}


def broken_limit(face: Mapping[str, Any], limits: QualityLimits) -> str | None:
    """The first limit that a row of `faces` breaks, in words with its numbers; None for a good face.

    What was not measured (null) breaks no limit; what is no number breaks each.
    """
    yaw, pitch, roll = (abs(degrees) for degrees in face["pose"])
    measures = {**face, "yaw": yaw, "pitch": pitch, "roll": roll}
    for measure, (limit, words) in _LEAST.items():
        if _breaks(measures[measure], getattr(limits, limit), below=True):
            return f"{words} {measures[measure]:.3g} is below {getattr(limits, limit):g}"
    for measure, (limit, words) in _MOST.items():
        if _breaks(measures[measure], getattr(limits, limit), below=False):
            return f"{words} {measures[measure]:.3g} is above {getattr(limits, limit):g}"
    return None


def _breaks(value: float | None, limit: float, below: bool) -> bool:
    return value is not None and (math.isnan(value) or (value < limit if below else value > limit))
