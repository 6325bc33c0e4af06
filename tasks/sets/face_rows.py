"""Rows of `faces` with what reading adds to them."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from mien.storage.rows import FaceRow


class FaceOfSet(FaceRow):
    """A face, and the set that it was read from."""

    set: str


class FaceWithHeatmap(FaceOfSet):
    """A face with its heatmap from the cache."""

    heatmap: UInt8[np.ndarray, "parts side side"] | None
    """None for a face without landmarks."""
