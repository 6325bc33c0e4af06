"""The keypoints of the two faces of a transfer, as landmarks that heatmaps are drawn from.

One rule for whatever asks a generator: the heatmaps of source and target are drawn from landmarks of one scheme. It is
the one that the generator was trained on where both faces have it, else that of the 68 common landmarks, which each
face has. See docs/decisions/0019-both-faces-are-drawn-from-one-scheme.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.expression.dense_landmarks import asked_landmarks
from mien.model.expression.parts import PARTS, ExpressionPart
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.gaze import gaze
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.schemes import LandmarkScheme, to_common


@dataclass(frozen=True)
class Keypoints:
    """Landmarks of a crop."""

    landmarks_xy: Float[np.ndarray, "points 2"]
    """In pixels of the crop."""
    scheme: LandmarkScheme
    side_px: int

    def points(self) -> Float[np.ndarray, "68 2"]:
        """The common landmarks in [-1, 1]."""
        return from_px(to_common(self.landmarks_xy, self.scheme), self.side_px)

    def heatmap(self, spec: HeatmapSpec) -> UInt8[np.ndarray, "parts side side"]:
        """As the cache of a set has it."""
        return render_heatmaps(self.landmarks_xy[None].astype(np.float32), self.scheme, self.side_px, spec)[0]

    def gaze(self) -> Float[np.ndarray, "2 2"] | None:
        """Where it looks (`model/landmarks/gaze.py`); None where the scheme has no irises."""
        return gaze(self.landmarks_xy, self.scheme)

    def common(self) -> Keypoints:
        """The common landmarks alone."""
        return Keypoints(to_common(self.landmarks_xy, self.scheme), "ibug68", self.side_px)


def of_one_scheme(
    source: Keypoints, driver: Keypoints, trained_on: LandmarkScheme | None
) -> tuple[Keypoints, Keypoints]:
    """Both in the scheme that a generator was trained on, or both as the common landmarks.

    Of generators that do not say what they were trained on, it is taken to be the scheme of the source.
    """
    if source.scheme == driver.scheme == (trained_on or source.scheme):
        return source, driver
    return source.common(), driver.common()


def asked_keypoints(
    source: Keypoints,
    driver: Keypoints,
    points: Float[np.ndarray, "68 2"],
    parts: Sequence[ExpressionPart] = PARTS,
) -> Keypoints:
    """What is asked of a generator, in the scheme that both faces have.

    Args:
        source: The person who is to be shown.
        driver: Whose expression is taken.
        points: The common landmarks that retargeting gave, in [-1, 1] over the crop.
        parts: Of the expression that follow the driver.
    """
    shown, expressed = (from_px(face.landmarks_xy[None], face.side_px) for face in (source, driver))
    asked = asked_landmarks(shown, expressed, source.scheme, points[None].astype(np.float64), parts)[0]
    return Keypoints(to_px(asked, source.side_px).astype(np.float32), source.scheme, source.side_px)
