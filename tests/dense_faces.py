"""Landmarks of denser schemes for faces of which the 68 common ones are known: no detector, no photo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from mien.model.expression.dense_landmarks import carried
from mien.model.landmarks.contours import Line, contours, irises
from mien.model.landmarks.parts import POINTS, LandmarkScheme
from mien.model.landmarks.schemes import common_pairs

Points = Float[np.ndarray, "points 2"]


def dense_landmarks(common: Points, scheme: LandmarkScheme, gaze: float = 0.0) -> Points:
    """Landmarks of a scheme whose common ones are nearly the given 68; all in [-1, 1] over the crop.

    Args:
        common: The 68.
        scheme: Of what is returned.
        gaze: Where the irises stand between the corners of the eyes, −1 to 1; 0 is the middle.
    """
    if scheme == "ibug68":
        return common
    out = np.full((POINTS[scheme], 2), np.nan)
    for part, lines in contours(scheme).items():
        for line, own in zip(lines, contours("ibug68")[part], strict=True):
            placed = _courses(common[list(own.indices)].astype(np.float64), own.closed, line)
            out[list(line.indices)] = min(placed, key=lambda at: _misses(at, line, common, scheme))
    for pair, point in zip(common_pairs(scheme), common, strict=True):
        for index in pair:
            if np.isnan(out[index]).any():
                out[index] = point
    out = carried(np.where(np.isnan(out), common.mean(0), out)[None], scheme, common[None].astype(np.float64))[0]
    for part, iris in irises(scheme).items():
        lids = common[list(contours("ibug68")[part][0].indices)]
        left, right = lids[lids[:, 0].argmin()], lids[lids[:, 0].argmax()]
        out[iris.centre] = lids.mean(0) + gaze * (right - left) / 2
        out[list(iris.rim)] = out[iris.centre] + 0.2 * (right - left)[0] * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])
    return out.astype(common.dtype)


def _courses(corners: Points, closed: bool, line: Line) -> Iterator[Points]:
    """The landmarks of a line at even steps, from each corner on and both ways around."""
    if line.closed and not closed:  # a brow, of which the 68 have the upper edge
        corners, closed = np.concatenate([corners, corners[::-1] + np.array([0, 0.03])]), True
    for way in (corners, corners[::-1]):
        for start in range(len(way) if closed else 1):
            course = np.roll(way, -start, axis=0)
            if closed:
                course = np.concatenate([course, course[:1]])
            at = np.linspace(0, len(course) - 1, len(line.indices), endpoint=not closed)
            yield np.stack([np.interp(at, np.arange(len(course)), axis) for axis in course.T], axis=1)


def _misses(placed: Points, line: Line, common: Points, scheme: LandmarkScheme) -> float:
    """Summed distance of the common landmarks on the line from where they are to be."""
    where = dict(zip(line.indices, placed, strict=True))
    both = zip(common_pairs(scheme), common, strict=True)
    return sum(
        float(np.linalg.norm((where[first] + where[second]) / 2 - point))
        for (first, second), point in both
        if first in where and second in where
    )
