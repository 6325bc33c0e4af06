"""The reference face: where a face is put by alignment (claim 2's stored reference image, as its keypoints).

`reference_face.json` holds the 68 mean landmarks (iBUG order) of the AT&T (ORL) faces, mirror-symmetric, in units of
the distance between the eye centres with the origin midway between them; `benchmarks/reference_face.py` makes it. How
much room a crop leaves around them is a setting.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float

from mien.model.configuration.bounds import Bounds, check_bounds
from mien.model.landmarks.schemes import five_points

REFERENCE_FILE = Path(__file__).with_name("reference_face.json")


_Margin = Annotated[float, Bounds(min=0, max=2)]


@dataclass(frozen=True)
class AlignmentSettings:
    """The crop: its size, and the reference face in it."""

    size_px: Annotated[int, Bounds(min=64, max=1024)] = 256
    """Side of the square crop."""
    margin_top: _Margin = 0.3
    """Room above the brows for the forehead, as a share of the height from brows to chin."""
    margin_bottom: _Margin = 0.12
    """Room below the chin, as a share of the same height. The face is centred from left to right, and the crop is a
    square, so the room at the sides follows."""

    def __post_init__(self) -> None:
        check_bounds(self)


@cache
def reference_shape() -> Float[np.ndarray, "68 2"]:
    """The stored landmarks in their own units (see the module's docstring)."""
    return np.array(json.loads(REFERENCE_FILE.read_text())["landmarks"], np.float64)


def reference_landmarks(settings: AlignmentSettings) -> Float[np.ndarray, "68 2"]:
    """The reference face's landmarks in crop pixels."""
    shape = reference_shape()
    top, bottom = shape[:, 1].min(), shape[:, 1].max()
    height = (bottom - top) * (1 + settings.margin_top + settings.margin_bottom)
    left = (shape[:, 0].min() + shape[:, 0].max() - height) / 2
    origin = np.array([left, top - settings.margin_top * (bottom - top)])
    return (shape - origin) / height * settings.size_px


def reference_five_points(settings: AlignmentSettings) -> Float[np.ndarray, "5 2"]:
    """Eye centres, nose tip and mouth corners of the reference face in crop pixels."""
    return five_points(reference_landmarks(settings), "ibug68")
