"""Which faces are good enough: limits of the measures of `measures.py`, and the reason of a face that breaks one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from mien.model.configuration.bounds import Bounds, NotNegative, Share, check_bounds
from mien.model.errors import SettingsError

_Degrees = Annotated[float, Bounds(min=0, max=180)]


@dataclass(frozen=True)
class QualityLimits:
    """Limits of the measures of a face. The defaults reject faces that are of no use and keep poor ones."""

    min_score: float = 0.0
    """Of the detector, in its own unit: dlib's margin starts at 0, SCRFD's confidence at 0.5."""
    min_face_px: NotNegative = 32.0
    """Side of a square as large as the detector's box, in source pixels."""
    min_sharpness: NotNegative = 0.005
    """Variance of the Laplacian over that of the grey values."""
    min_brightness: Share = 0.08
    """Mean grey value of the face, from 0 to 1."""
    max_brightness: Share = 0.92
    """Of the same mean."""
    max_clipped: Share = 0.5
    """Share of the face's pixels that are black or white."""
    max_yaw_degrees: _Degrees = 50.0
    """How far the head may turn to the side."""
    max_pitch_degrees: _Degrees = 50.0
    """How far the head may turn up or down."""
    max_roll_degrees: _Degrees = 60.0
    """How far the head may be tilted."""
    max_shape_error: NotNegative = 0.3
    """Distance of the landmarks to the reference face, in distances between the eye centres."""
    max_landmark_scatter: NotNegative = 0.06
    """How far several looks at the landmarks may lie apart, as a share of the inter-ocular distance. Of dlib's looks at
    1,624 faces those above it (0.066, 0.070, 0.075) have misplaced lips or jaw, and those below (0.046 at most) have
    not; docs/decisions/0009. MediaPipe's looks at the same faces lie 0.046 apart at most, at parts of faces and at what
    is no face 0.05 to 0.2; docs/detectors.md."""
    max_outside: Share = 0.0
    """Share of the landmarks of eyes and lips outside the photo or the crop."""
    max_duplicate_bits: Annotated[int, Bounds(min=-1, max=256)] = 6
    """Of 256, in which the perceptual hashes of two photos of a person differ, so that they are taken for one; -1 keeps
    all but copies of the same bytes."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.min_brightness > self.max_brightness:
            raise SettingsError("min_brightness is above max_brightness: no face would be left")


_MIN: dict[str, tuple[str, str]] = {
    "score": ("min_score", "detector score"),
    "face_px": ("min_face_px", "face size in px"),
    "sharpness": ("min_sharpness", "sharpness"),
    "brightness": ("min_brightness", "brightness"),
}
_MAX: dict[str, tuple[str, str]] = {
    "brightness": ("max_brightness", "brightness"),
    "clipped": ("max_clipped", "clipped share"),
    "yaw": ("max_yaw_degrees", "yaw in degrees"),
    "pitch": ("max_pitch_degrees", "pitch in degrees"),
    "roll": ("max_roll_degrees", "roll in degrees"),
    "outside": ("max_outside", "share of eyes and mouth outside"),
    "landmark_scatter": ("max_landmark_scatter", "landmark scatter"),
    "shape_error": ("max_shape_error", "landmark shape error"),
}


def broken_limit(face: Mapping[str, Any], limits: QualityLimits) -> str | None:
    """The first limit that a row of `faces` breaks, in words with its numbers; None for a good face.

    A measure that is null (not measured) breaks no limit; NaN breaks each.
    """
    yaw, pitch, roll = (abs(degrees) for degrees in face["pose"])
    measures = {**face, "yaw": yaw, "pitch": pitch, "roll": roll}
    for measure, (limit, words) in _MIN.items():
        if _breaks(measures[measure], getattr(limits, limit), below=True):
            return f"{words} {measures[measure]:.3g} is below {getattr(limits, limit):g}"
    for measure, (limit, words) in _MAX.items():
        if _breaks(measures[measure], getattr(limits, limit), below=False):
            return f"{words} {measures[measure]:.3g} is above {getattr(limits, limit):g}"
    return None


def _breaks(value: float | None, limit: float, below: bool) -> bool:
    return value is not None and (math.isnan(value) or (value < limit if below else value > limit))
