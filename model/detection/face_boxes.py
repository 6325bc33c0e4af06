"""Boxes of faces as MediaPipe's detectors give them: a grid of anchors, each with a score, a box and six points.

BlazeFace (Bazarevsky et al. 2019): an anchor's box and points are offsets from it, in pixels of the view. Several
anchors answer to one face; boxes that overlap are averaged by their scores, which shakes less than taking the best.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

LEFT_EYE, RIGHT_EYE = 0, 1
"""Points of a box, those in the picture's left and right half; then the nose, the mouth and both ears."""
POINTS_OF_BOX = 6

MIN_OVERLAP = 0.3
"""Boxes that overlap this much (intersection over union) are of one face."""

_BOX = 4
_LOGIT_LIMIT = 100.0


class Boxes(NamedTuple):
    """Possible faces, in pixels of a view or of a picture."""

    edges: Float[np.ndarray, "n 4"]
    """Left, top, right, bottom."""
    points: Float[np.ndarray, "n 6 2"]
    scores: Float[np.ndarray, " n"]
    """From 0 to 1."""

    def chosen(self, which: Bool[np.ndarray, " n"]) -> Boxes:
        """Some of the boxes."""
        return Boxes(*(values[which] for values in self))

    def moved(self, scale: float, shift: Float[np.ndarray, " 2"]) -> Boxes:
        """The boxes where p ↦ scale · p + shift takes them."""
        edges = self.edges * scale + np.tile(shift, 2)
        return Boxes(edges, self.points * scale + shift, self.scores)


@cache
def anchors(side_px: int, count: int) -> Float[np.ndarray, "anchors 2"]:
    """Centres of the anchors of a network that sees a square, in its pixels.

    Args:
        side_px: Side of the square.
        count: Of the anchors: one for each 4 × 4 pixels (full range), or two for each 8 × 8 and six for each 16 × 16
            (short range).
    """
    layers = [(4, 1)] if count == (side_px // 4) ** 2 else [(8, 2), (16, 6)]
    return np.concatenate([np.repeat(_grid(side_px, stride), each, axis=0) for stride, each in layers])


def _grid(side_px: int, stride: int) -> Float[np.ndarray, "cells 2"]:
    """Centres of square cells, row by row."""
    centres = (np.arange(side_px // stride) + 0.5) * stride
    columns, rows = np.meshgrid(centres, centres)
    return np.stack([columns.ravel(), rows.ravel()], axis=-1)


def decoded(
    raw: Float32[np.ndarray, "anchors 16"], logits: Float32[np.ndarray, "anchors 1"], side_px: int, min_score: float
) -> Boxes:
    """The boxes that a network's outputs for one view stand for, of at least this score."""
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(np.float64), -_LOGIT_LIMIT, _LOGIT_LIMIT)))
    kept = np.flatnonzero(scores >= min_score)
    values, at = raw[kept].astype(np.float64), anchors(side_px, len(raw))[kept]
    centre, half = values[:, :2] + at, values[:, 2:_BOX] / 2
    points = values[:, _BOX:].reshape(-1, POINTS_OF_BOX, 2) + at[:, None]
    return Boxes(np.concatenate([centre - half, centre + half], axis=1), points, scores[kept])


def joined(parts: list[Boxes]) -> Boxes:
    """The boxes of several views of one picture, in its pixels."""
    empty = Boxes(np.zeros((0, 4)), np.zeros((0, POINTS_OF_BOX, 2)), np.zeros(0))
    return Boxes(*(np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True)))


def merged(boxes: Boxes) -> Boxes:
    """One box for each face, the best first: the mean of those that overlap its best one, weighted by their scores."""
    left = np.argsort(-boxes.scores, kind="stable")
    found: list[Boxes] = []
    while len(left):
        best = left[0]
        same = overlap(boxes.edges[best], boxes.edges[left]) >= MIN_OVERLAP
        same[0] = True  # a box without area overlaps nothing
        found.append(_mean(boxes, left[same]))
        left = left[~same]
    return joined(found)


def overlap(box: Float[np.ndarray, " 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Area that a box shares with each of others, over what both cover."""
    shared = _shared(box, others)
    return shared / np.maximum(_areas(box) + _areas(others) - shared, 1e-9)


def shared_part(box: Float[np.ndarray, " 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Area that a box shares with each of others, over the smaller of the two."""
    smaller = np.minimum(*(_areas(edges) for edges in (box, others)))
    return _shared(box, others) / np.maximum(smaller, 1e-9)


def _shared(box: Float[np.ndarray, " 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=1)


def _areas(edges: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    return np.asarray(np.prod(np.clip(edges[..., 2:] - edges[..., :2], 0, None), axis=-1))


def _mean(boxes: Boxes, indices: Int[np.ndarray, " n"]) -> Boxes:
    weights = boxes.scores[indices] / boxes.scores[indices].sum()
    edges = (weights[:, None] * boxes.edges[indices]).sum(0, keepdims=True)
    points = (weights[:, None, None] * boxes.points[indices]).sum(0, keepdims=True)
    return Boxes(edges, points, boxes.scores[indices].max(keepdims=True))
