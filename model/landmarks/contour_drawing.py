"""Heatmaps of contours: lines through the landmarks of a part, openings cut out of them, irises as discs.

    channel = (1 − c) · exp(−d² / 2σ²) + c · ½ · iris

d is the distance from the pixel's centre to the nearest line, c how much of the pixel lies in an opening (between the
lids of an eye, between the inner lips), iris how much of it a disc covers. As in compositing (Porter and Duff 1984) the
opening lies over the lines. So lids that are two pixels apart are two edges with nothing between them, although each
line is wider than that, a gap narrower than a pixel still takes its share, and a shut eye is one line. An iris is seen
as far as the lids leave it free.

A face is drawn by itself: its bytes do not depend on the others of a batch.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from mien.model.landmarks.contours import Iris, contours, irises
from mien.model.landmarks.parts import LandmarkScheme, Part

IRIS_VALUE = 0.5
"""Of an iris; a line has 1."""
OPENINGS: tuple[Part, ...] = ("left_eye", "right_eye", "inner_lips")
"""The parts whose closed lines go around an opening."""
_SCAN_LINES = 4
"""Of a pixel, in an opening: how much of each lies inside is exact."""
_REACH = 3.6
"""Of a line, in σ: beyond it the value is below half of 1/255, which is stored as 0."""
_SHORTEST, _HALF = np.float32(1e-6), np.float32(0.5)


class _Segments(NamedTuple):
    """Of the lines of a part."""

    start: Float32[np.ndarray, "segments 2"]
    end: Float32[np.ndarray, "segments 2"]


class _Box(NamedTuple):
    """Pixels of a channel, by their upper left corners."""

    x: Float32[np.ndarray, " columns"]
    y: Float32[np.ndarray, " rows"]


def draw_contours(
    points: Float[np.ndarray, "faces points 2"], scheme: LandmarkScheme, part: Part, size_px: int, sigma_px: float
) -> UInt8[np.ndarray, "faces {size_px} {size_px}"]:
    """Heatmaps of a part, for landmarks in pixels of the heatmaps; 1 is stored as 255.

    Landmarks on no line of the part are not drawn.
    """
    out = np.zeros((len(points), size_px, size_px), np.uint8)
    for channel, xy in zip(out, points.astype(np.float32), strict=True):
        _draw(channel, xy, scheme, part, sigma_px)
    return out


def _draw(
    channel: UInt8[np.ndarray, "side side"],
    xy: Float32[np.ndarray, "points 2"],
    scheme: LandmarkScheme,
    part: Part,
    sigma_px: float,
) -> None:
    segments = _segments(xy, scheme, part)
    ends, side = np.concatenate(segments), len(channel)
    low = np.clip(np.floor(ends.min(0) - _REACH * sigma_px), 0, side).astype(int)
    high = np.clip(np.ceil(ends.max(0) + _REACH * sigma_px), 0, side).astype(int)
    if (low >= high).any():
        return
    (left, top), (right, bottom) = low, high
    box = _Box(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    values = np.exp(_squared_distance(segments, box) * np.float32(-0.5 / sigma_px**2))
    if part in OPENINGS:
        inside = _inside(segments, box)
        values *= 1 - inside
        if (iris := irises(scheme).get(part)) is not None:
            values += np.float32(IRIS_VALUE) * inside * _disc(xy, iris, box)
    channel[top:bottom, left:right] = np.rint(255 * values)


def _segments(xy: Float32[np.ndarray, "points 2"], scheme: LandmarkScheme, part: Part) -> _Segments:
    start, end = _ends(scheme, part)
    return _Segments(xy[start], xy[end])


@cache
def _ends(scheme: LandmarkScheme, part: Part) -> Int[np.ndarray, "2 segments"]:
    """The indices of the landmarks at which the segments of a part start and end."""
    pairs: list[tuple[int, int]] = []
    for line in contours(scheme)[part]:
        pairs += zip(line.indices, line.indices[1:], strict=False)
        if line.closed:
            pairs.append((line.indices[-1], line.indices[0]))
    return np.array(pairs).T


def _squared_distance(segments: _Segments, box: _Box) -> Float32[np.ndarray, "rows columns"]:
    """From the centre of each pixel to the nearest segment. Landmarks that coincide are a segment without length."""
    way = segments.end - segments.start
    length = np.hypot(way[:, 0], way[:, 1])
    x_way, y_way = (way.T / np.maximum(length, _SHORTEST))[..., None]
    x, y = (corners + _HALF - start[:, None] for corners, start in zip(box, segments.start.T, strict=True))
    along = (x * x_way)[:, None] + (y * y_way)[:, :, None]
    across = (x * y_way)[:, None] - (y * x_way)[:, :, None]
    beyond = along - np.clip(along, 0, length[:, None, None])
    return (across * across + beyond * beyond).min(0)


def _inside(segments: _Segments, box: _Box) -> Float32[np.ndarray, "rows columns"]:
    """How much of each pixel the lines run around, in the direction in which they run around most.

    So where a detector puts the upper lid below the lower one for a bit, the eye is shut there. Each scan line is
    covered from where it crosses a segment up to where it crosses the next one back.
    """
    (x, y), (x_end, y_end) = segments.start.T, segments.end.T
    around = np.sign(x @ y_end - x_end @ y)  # of the area, by the shoelace formula
    lines = (box.y[:, None] + (np.arange(_SCAN_LINES, dtype=np.float32) + _HALF) / _SCAN_LINES).reshape(-1, 1)
    line, segment = np.nonzero((lines >= y) != (lines >= y_end))
    drop = (y_end - y)[segment]
    crossed = x[segment] + (lines[line, 0] - y[segment]) / drop * (x_end - x)[segment]
    left_of_it = np.clip(crossed[:, None] - box.x, 0, 1) * (around * np.sign(drop) / _SCAN_LINES)[:, None]
    inside = np.zeros((len(box.y), len(box.x)), np.float32)
    np.add.at(inside, line // _SCAN_LINES, left_of_it)
    return inside.clip(0, 1)


def _disc(xy: Float32[np.ndarray, "points 2"], iris: Iris, box: _Box) -> Float32[np.ndarray, "rows columns"]:
    """An iris as a disc with an edge one pixel wide.

    Lids cover its upper and its lower end, and a map that opens them stretches it: its width tells its size.
    """
    centre, across = xy[iris.centre] - _HALF, xy[iris.rim[0]] - xy[iris.rim[2]]
    distance = np.hypot(box.x - centre[0], (box.y - centre[1])[:, None])
    return np.clip(np.hypot(*across) / 2 + _HALF - distance, 0, 1)
