"""Faces drawn by code, for tests that train: people differ in shade and width, expressions in mouth and eyes."""

from __future__ import annotations

import cv2
import numpy as np

from model.pairs import FaceArrays

PARTS = 8
HEATMAP_PX = 32


def drawn_faces(people: int = 4, each: int = 4, size_px: int = 64, seed: int = 0) -> FaceArrays:
    """`each` expressions of each of `people`, row by row."""
    random = np.random.default_rng(seed)
    rows = [_face(random, person, size_px) for person in range(people) for _ in range(each)]
    images, heatmaps, points = (np.stack(column) for column in zip(*rows, strict=True))
    return FaceArrays(images, heatmaps, points, np.repeat(np.arange(people), each))


def _face(random: np.random.Generator, person: int, size_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    skin, width = 90 + 30 * (person % 5), 0.28 + 0.02 * (person % 4)
    smile, opening = random.uniform(0.05, 0.15), random.uniform(0.01, 0.09)
    places = {4: (0.37, 0.42), 5: (0.63, 0.42), 3: (0.5, 0.55), 6: (0.5, 0.72), 7: (0.5, 0.72)}
    image = np.full((size_px, size_px, 3), 200, np.uint8)
    _ellipse(image, (0.5, 0.52), (width, 0.38), (skin, skin - 20, skin - 30))
    _ellipse(image, places[4], (0.05, 0.03), (30, 30, 30))
    _ellipse(image, places[5], (0.05, 0.03), (30, 30, 30))
    _ellipse(image, places[6], (smile, opening + 0.01), (150, 40, 40))
    heatmaps = np.zeros((PARTS, HEATMAP_PX, HEATMAP_PX), np.uint8)
    for part, (x, y) in places.items():
        spread = opening if part in (6, 7) else 0.02
        heatmaps[part] = _bump(x, y, spread + 0.04)
    points = (
        np.tile(np.array([[0.0, opening]], np.float32), (68, 1)) + np.linspace(-0.5, 0.5, 68, dtype=np.float32)[:, None]
    )
    return image.transpose(2, 0, 1), heatmaps, points.astype(np.float32)


def _ellipse(
    image: np.ndarray, centre: tuple[float, float], radii: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    scaled = [tuple(round(value * image.shape[0]) for value in pair) for pair in (centre, radii)]
    cv2.ellipse(image, scaled[0], scaled[1], 0, 0, 360, colour, -1)


def _bump(x: float, y: float, spread: float) -> np.ndarray:
    rows, columns = np.mgrid[0:HEATMAP_PX, 0:HEATMAP_PX] / HEATMAP_PX
    return np.round(255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))).astype(np.uint8)
