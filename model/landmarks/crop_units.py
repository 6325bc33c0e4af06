"""Landmarks in pixels of a square crop, and in [-1, 1] over it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def from_px(landmarks_xy: Float[np.ndarray, "*batch 2"], side_px: int) -> Float[np.ndarray, "*batch 2"]:
    """Points in pixels of a crop of this side, in [-1, 1] over it: −1 is the left or upper edge."""
    return landmarks_xy / side_px * 2 - 1


def to_px(points: Float[np.ndarray, "*batch 2"], side_px: int) -> Float[np.ndarray, "*batch 2"]:
    """Points in [-1, 1] over a crop, in pixels of a crop of this side."""
    return (points + 1) / 2 * side_px
