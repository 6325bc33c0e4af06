"""The motion of a mouth that opens, as a figure: a face drawn from the reference landmarks, and for each position of
the result the position in this face that the landmarks' motion gives. It contains no photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch

from benchmarks.svg import ACCENT, FAINT, INK, arrow, figure, outline, text
from mien.model.expression.neutral import LIP_PAIRS
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import PARTS, part_indices
from mien.model.networks.motion import MOTION_PX
from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.thin_plate_spline import resized_grid

PANEL_PX, GAP_PX, TOP_PX = 240, 24, 40
ARROWS = 20
"""Along a side."""
OPENING = 0.2
"""Of the mouth, in [-1, 1] over the crop."""
_FINE = 4
"""Pixels of the warped layers per pixel of the figure."""
_LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
_CORNERS = (48, 54, 60, 64)
_SKIN, _HAIR, _LIPS, _MOUTH, _TEETH, _WHITE = "#e3b993", "#4b3b34", "#b4524e", "#4a1f22", "#fbf7ef", "#ffffff"


class Layer(NamedTuple):
    """A filled shape of the drawn face."""

    colour: str
    points: np.ndarray
    """n × 2, in [-1, 1] over the crop."""


def motion_field() -> str:
    """SVG text."""
    closed, opened = landmarks()
    # As the generator computes it, but in double precision: the last digits differ between processors.
    motion = face_grid(torch.from_numpy(closed[None]), torch.from_numpy(opened[None]), MOTION_PX)
    panels = (
        ("source, landmarks L_s", [*_painted(drawn_face(closed)), *_contours(closed, INK)]),
        ("requested: landmarks L_t", [*_contours(closed, "#b9c0c8"), *_contours(opened, INK)]),
        ("backward flow", [*_contours(opened, "#b9c0c8"), *_arrows(motion)]),
        ("source moved by the landmarks", _painted(_moved(drawn_face(closed), motion))),
        ("right answer", _painted(drawn_face(opened))),
    )
    shapes: list[str] = []
    for n, (title, drawn) in enumerate(panels):
        x = GAP_PX + n * (PANEL_PX + GAP_PX)
        shapes.append(text(x + PANEL_PX / 2, TOP_PX - 14, title, 14, INK, 600))
        shapes.append(f'<svg x="{x}" y="{TOP_PX}" width="{PANEL_PX}" height="{PANEL_PX}">')
        shapes += [f'<rect width="{PANEL_PX}" height="{PANEL_PX}" fill="#fff"/>', *drawn, "</svg>"]
    width = GAP_PX + len(panels) * (PANEL_PX + GAP_PX)
    words = (
        "The motion stretches the closed lips over the open mouth. Mask and layer have to draw what no motion can show."
    )
    shapes.append(text(width / 2, TOP_PX + PANEL_PX + 26, words, 13, FAINT))
    return figure(width, TOP_PX + PANEL_PX + 44, "a mouth that opens, moved by its landmarks", shapes)


def landmarks() -> tuple[np.ndarray, np.ndarray]:
    """The reference face with its mouth closed and opened (68 × 2 each), in [-1, 1] over the crop."""
    closed = reference_landmarks(AlignmentSettings(size_px=128)) / 64 - 1
    for upper, lower in LIP_PAIRS:
        closed[[upper, lower], 1] = closed[[upper, lower], 1].mean()
    opened = closed.copy()
    opened[list(_LOWER_LIP), 1] += OPENING
    opened[list(_CORNERS), 1] += OPENING / 2
    middle = opened[48:68, 0].mean()
    opened[48:68, 0] = middle + 0.9 * (opened[48:68, 0] - middle)
    opened[2:15, 1] += OPENING * 0.7 * np.sin(np.linspace(0, np.pi, 15)[1:-1])
    return closed, opened


def drawn_face(points: np.ndarray) -> list[Layer]:
    """From back to front. Teeth and the inside of the mouth show as far as the lips are open."""
    left, right = points[0], points[16]
    middle, half = (left + right) / 2, (right - left)[0] / 2
    layers = [Layer(_HAIR, _ellipse(middle - [0, 0.18], 1.13 * half, 0.78)), Layer(_SKIN, _head(points, middle, half))]
    layers += [Layer(_HAIR, _brow(points[part])) for part in (slice(17, 22), slice(22, 27))]
    layers.append(Layer("#cf9d78", points[[29, 31, 32, 33, 34, 35]]))
    for eye in (slice(36, 42), slice(42, 48)):
        layers += [Layer(_WHITE, points[eye]), Layer(_HAIR, _ellipse(points[eye].mean(0), 0.042, 0.042))]
    layers.append(Layer(_LIPS, points[48:60]))
    inside = points[60:68]
    if np.ptp(inside[[2, 6], 1]) > 0.02:
        teeth = np.concatenate([inside[:5], inside[[3, 2, 1]] + [0, 0.06]])
        layers += [Layer(_MOUTH, inside), Layer(_TEETH, teeth)]
    return layers


def _head(points: np.ndarray, middle: np.ndarray, half: float) -> np.ndarray:
    """Jaw, and half an ellipse over it for the forehead."""
    turn = np.linspace(0, -np.pi, 24)
    return np.concatenate([points[:17], middle + np.stack([half * np.cos(turn), 0.72 * np.sin(turn)], 1)])


def _brow(edge: np.ndarray) -> np.ndarray:
    return np.concatenate([edge, edge[::-1] + np.array([0, 0.035])])


def _ellipse(centre: np.ndarray, across: float, down: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return centre + np.stack([across * np.cos(turn), down * np.sin(turn)], 1)


def _moved(layers: list[Layer], motion: torch.Tensor) -> Iterator[Layer]:
    """The layers as the warp shows them: each is painted, looked up along the flow, and traced."""
    side_px = _FINE * PANEL_PX
    found = ((resized_grid(motion, side_px)[0].numpy() + 1) * (side_px / 2)).astype(int).clip(0, side_px - 1)
    for colour, points in layers:
        painted = np.zeros((side_px, side_px), np.uint8)
        cv2.fillPoly(painted, [np.round((points + 1) * (side_px / 2)).astype(np.int32)], 1)
        shown = painted[found[..., 1], found[..., 0]]
        for contour in cv2.findContours(shown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            traced = cv2.approxPolyDP(contour, 1.5, True)[:, 0]
            yield Layer(colour, (traced + 0.5) * (2 / side_px) - 1)


def _painted(layers: Iterator[Layer] | list[Layer]) -> list[str]:
    return [f'<path d="{outline(_pixels(points))}" fill="{colour}"/>' for colour, points in layers]


def _contours(points: np.ndarray, colour: str) -> list[str]:
    """Lines along the parts, dots at the landmarks."""
    parts = part_indices("ibug68")
    closed = {"left_eye", "right_eye", "outer_lips", "inner_lips"}
    paths = "".join(outline(_pixels(points[list(parts[part])]), part in closed) for part in PARTS)
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in _pixels(points).tolist())
    return [
        f'<path d="{paths}" fill="none" stroke="{colour}" stroke-width="0.8"/>',
        f'<path d="{dots}" stroke="{colour}" stroke-width="3" stroke-linecap="round"/>',
    ]


def _arrows(motion: torch.Tensor) -> list[str]:
    """From positions in the result to the positions in the source; a dot for positions that hardly move."""
    found = resized_grid(motion, ARROWS)[0].numpy()
    centres = (np.arange(ARROWS) + 0.5) * (2 / ARROWS) - 1
    positions = np.stack(np.meshgrid(centres, centres), -1)
    shapes: list[str] = []
    for start, end in zip(_pixels(positions.reshape(-1, 2)), _pixels(found.reshape(-1, 2)), strict=True):
        if np.linalg.norm(end - start) > 3:
            (x, y), (u, v) = start.round(1).tolist(), end.round(1).tolist()
            shapes.append(arrow((x, y), (u, v), head="s"))
        else:
            x, y = start.round(1).tolist()
            shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="0.9" fill="{ACCENT}"/>')
    return shapes


def _pixels(points: np.ndarray) -> np.ndarray:
    return (points + 1) * (PANEL_PX / 2)
