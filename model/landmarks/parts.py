"""The facial parts that all landmark schemes share, and the names of the schemes.

Left and right are those of the picture: `left_eye` is the eye on the picture's left side, the person's right eye.
"""

from __future__ import annotations

from typing import Literal, get_args

LandmarkScheme = Literal["ibug68", "insightface106", "mediapipe478"]
Part = Literal["jaw", "left_brow", "right_brow", "nose", "left_eye", "right_eye", "outer_lips", "inner_lips"]

PARTS: tuple[Part, ...] = get_args(Part)
"""Facial parts in the order of the heatmap channels."""

POINTS: dict[LandmarkScheme, int] = {"ibug68": 68, "insightface106": 106, "mediapipe478": 478}
"""Landmarks per scheme."""

MIRROR: dict[Part, Part] = {
    "jaw": "jaw",
    "left_brow": "right_brow",
    "right_brow": "left_brow",
    "nose": "nose",
    "left_eye": "right_eye",
    "right_eye": "left_eye",
    "outer_lips": "outer_lips",
    "inner_lips": "inner_lips",
}
"""Which part a part becomes when the picture is mirrored."""
