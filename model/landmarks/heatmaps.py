"""Landmark heatmaps, the keypoint information of the method: one channel per facial part.

A part is drawn as its landmarks, or as the contours through them (`contour_drawing.py`).

A heatmap's pixel (column, row) stands for the point (column + 0.5, row + 0.5), in the coordinates of
`model/landmarks/schemes.py`; so landmarks of the crop are multiplied by size_px / crop_size_px and nothing is shifted.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.landmarks.contour_drawing import draw_contours
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.schemes import PARTS, LandmarkScheme, Part, part_indices


def render_heatmaps(
    landmarks_xy: Float[np.ndarray, "n points 2"], scheme: LandmarkScheme, crop_size_px: int, spec: HeatmapSpec
) -> UInt8[np.ndarray, "n parts {spec.size_px} {spec.size_px}"]:
    """Heatmaps of the parts, in the order of `PARTS`, for landmarks in pixels of square crops.

    A channel of points is the maximum of exp(−d² / 2σ²) over the landmarks of its part, d being the distance from the
    pixel's centre; contours are as `draw_contours` says. 1 is stored as 255. Landmarks beyond the border fade out.
    """
    out = np.empty((len(landmarks_xy), len(PARTS), spec.size_px, spec.size_px), np.uint8)
    for channel, part in enumerate(PARTS):
        out[:, channel] = _render_part(landmarks_xy, scheme, part, crop_size_px, spec)
    return out


def redraw_heatmaps(
    heatmaps: UInt8[np.ndarray, "n parts {spec.size_px} {spec.size_px}"],
    former_xy: Float[np.ndarray, "n points 2"],
    landmarks_xy: Float[np.ndarray, "n points 2"],
    scheme: LandmarkScheme,
    crop_size_px: int,
    spec: HeatmapSpec,
) -> UInt8[np.ndarray, "n parts {spec.size_px} {spec.size_px}"]:
    """What `render_heatmaps` draws. `heatmaps` were drawn from `former_xy`: a channel stays where no landmark moved."""
    out, moved = heatmaps.copy(), (former_xy != landmarks_xy).any(-1)
    for channel, part in enumerate(PARTS):
        rows = moved[:, list(part_indices(scheme)[part])].any(1)
        if rows.any():
            out[rows, channel] = _render_part(landmarks_xy[rows], scheme, part, crop_size_px, spec)
    return out


def _render_part(
    landmarks_xy: Float[np.ndarray, "n points 2"],
    scheme: LandmarkScheme,
    part: Part,
    crop_size_px: int,
    spec: HeatmapSpec,
) -> UInt8[np.ndarray, "n {spec.size_px} {spec.size_px}"]:
    """One channel of each face."""
    points = landmarks_xy * (spec.size_px / crop_size_px)
    if spec.form == "contours":
        return draw_contours(points, scheme, part, spec.size_px, spec.sigma_px)
    columns, rows = _profiles(points[:, list(part_indices(scheme)[part])], spec)
    # A Gaussian of two dimensions is the product of its profiles along the axes.
    blobs = rows[:, :, :, None] * columns[:, :, None, :]
    return np.rint(255 * blobs.max(axis=1)).astype(np.uint8)


def _profiles(points_xy: Float[np.ndarray, "n points 2"], spec: HeatmapSpec) -> Float[np.ndarray, "2 n points size"]:
    """exp(−(c − p)² / 2σ²) at the pixel centres c, for the x and for the y of each point p."""
    centres = np.arange(spec.size_px, dtype=np.float32) + 0.5
    distance = centres - np.moveaxis(points_xy, -1, 0).astype(np.float32)[..., None]
    return np.exp(-(distance**2) / (2 * spec.sigma_px**2))
