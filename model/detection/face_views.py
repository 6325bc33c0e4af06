"""The views of a picture that a detector looks at: squares of what MediaPipe's networks take.

The networks find faces that are a certain share of the view: the short-range one from 16 to 120 px of 128, the
full-range one from 12 to 140 px of 192, but fewer of those that are turned or half hidden. So a whole picture in one
view shows its large faces, and a picture cut into overlapping tiles its small ones. Around a picture its outermost
pixels are repeated: a face that fills it needs room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from mien.model.detection.face_boxes import Boxes, decoded, joined, merged
from mien.model.graphs.mediapipe_files import FULL_RANGE, SHORT_RANGE, NetworkFile, network_of
from mien.model.landmarks.alignment import warp

Image = UInt8[np.ndarray, "_ _ 3"]

MIN_SCORE = 0.3
"""Boxes of less are no faces. Below the networks' customary 0.5, since the mesh network judges each box again."""

_BATCH = {"cpu": 8, "cuda": 64}
_OVERLAP = 0.25
"""Of neighbouring tiles, as a share of their side: a face up to this size is whole in one of them."""


@dataclass(frozen=True)
class View:
    """A square part of a picture: pixels p of the picture are at scale · p + shift."""

    network: NetworkFile
    scale: float
    shift: tuple[float, float]
    largest_px: float = float("inf")
    """In pixels of the view: larger boxes are of parts of faces that another view has whole."""

    def pixels(self, image: Image) -> UInt8[np.ndarray, "side side 3"]:
        """What the network sees."""
        matrix = np.column_stack([np.eye(2) * self.scale, np.array(self.shift)])
        return warp(image, matrix, self.network.side_px)

    def in_picture(self, boxes: Boxes) -> Boxes:
        """Boxes of the view that are of faces that it has whole, where they are in the picture."""
        sides = (boxes.edges[:, 2:] - boxes.edges[:, :2]).max(1)
        return boxes.chosen(sides <= self.largest_px).moved(1 / self.scale, -np.array(self.shift) / self.scale)


@dataclass(frozen=True)
class Attempt:
    """A way to look at a picture."""

    name: str
    """How `found_by` names it."""
    network: NetworkFile
    border: float = 0.0
    """Room on each side of the picture, as a share of the view, where the picture is in one view."""
    face_px: int | None = None
    """The picture is cut into tiles in which faces of so many pixels of the picture are just large enough; None: it is
    in one view."""
    max_tiles: int = 1
    """At most so many along a side: then faces have to be larger."""

    def views(self, image: Image) -> list[View]:
        """The views of a picture."""
        height, width = image.shape[:2]
        inner_px = self.network.side_px * (1 - 2 * self.border)
        if self.face_px is not None:
            step_px = self.network.side_px * (1 - _OVERLAP)
            wanted = (max(height, width) * _JUST_ENOUGH_PX / self.face_px - inner_px) / step_px
            inner_px += step_px * float(np.clip(np.ceil(wanted - _SPARED), 0, self.max_tiles - 1))
        scale = inner_px / max(height, width)
        lefts, tops = (_places(side * scale, self.network.side_px) for side in (width, height))
        largest_px = _LARGEST * self.network.side_px if len(lefts) * len(tops) > 1 else float("inf")
        return [View(self.network, scale, (left, top), largest_px) for top in tops for left in lefts]


_JUST_ENOUGH_PX = 20.0
"""Size of a face in a view at which the networks find nearly all."""
_LARGEST = 0.6
"""Largest box in a tile, as a share of its side: the whole picture in one view shows such faces well."""
_SPARED = 0.35
"""Of a tile: a picture that needs no more than this beyond whole tiles is shrunk to them."""


def _places(side_px: float, view_px: int) -> list[float]:
    """Where the picture begins in each of the views along a side, which it is centred in or which cover it evenly."""
    if side_px <= view_px:
        return [(view_px - side_px) / 2]
    count = int(np.ceil((side_px - view_px) / (view_px * (1 - _OVERLAP)) - 1e-6)) + 1
    return [float(-place) for place in np.linspace(0, side_px - view_px, count)]


def boxes_each(images: Sequence[Image], views: Sequence[Sequence[View]], device: str) -> list[Boxes]:
    """The possible faces of each picture in its views, each once, the surest first, in pixels of the picture.

    They are the same, to the bit, whichever pictures are together.
    """
    parts: list[list[Boxes]] = [[] for _ in images]
    for file in (SHORT_RANGE, FULL_RANGE):
        every = [(index, view) for index, each in enumerate(views) for view in each if view.network is file]
        size = _BATCH[device.partition(":")[0]]
        for start in range(0, len(every), size):
            some = every[start : start + size]
            pixels = np.stack([view.pixels(images[index]) for index, view in some]).astype(np.float32)
            raw, logits = network_of(file, device)(pixels)
            for (index, view), values, scores in zip(some, raw, logits, strict=True):
                parts[index].append(view.in_picture(decoded(values, scores, file.side_px, MIN_SCORE)))
    return [merged(joined(each)) for each in parts]
