"""Faces drawn by code, for tests that train: people differ in shade and width, expressions in mouth and eyes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import LandmarkScheme
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.training.face_arrays import FaceArrays
from tests.dense_faces import dense_landmarks

HEATMAP_PX = 32
SPEC = HeatmapSpec(size_px=HEATMAP_PX)
LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)


def dense_faces(faces: FaceArrays, scheme: LandmarkScheme, spec: HeatmapSpec) -> FaceArrays:
    """The faces with landmarks of this scheme, and heatmaps of them."""
    landmarks = np.stack([dense_landmarks(points, scheme) for points in faces.points])
    heatmaps = render_heatmaps((landmarks + 1) * (spec.size_px / 2), scheme, spec.size_px, spec)
    return replace(faces, heatmaps=heatmaps, spec=spec, scheme=scheme, dense=landmarks)


def drawn_faces(people: int = 4, each: int = 4, size_px: int = 64, seed: int = 0) -> FaceArrays:
    """`each` expressions of each of `people`, row by row."""
    random = np.random.default_rng(seed)
    rows = [_face(random, person, size_px) for person in range(people) for _ in range(each)]
    images, heatmaps, points = (np.stack(column) for column in zip(*rows, strict=True))
    return FaceArrays(images, heatmaps, points, np.repeat(np.arange(people), each), spec=SPEC)


def _face(random: np.random.Generator, person: int, size_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The landmarks of the reference face, a little wider or narrower, with a mouth that smiles and opens."""
    skin, width = 90 + 30 * (person % 5), 0.9 + 0.06 * (person % 4)
    smile, opening = random.uniform(0.8, 1.3), random.uniform(0.0, 0.12)
    points = reference_landmarks(AlignmentSettings(size_px=size_px)).astype(np.float32) / size_px * 2 - 1
    points[:, 0] *= width
    middle = points[48:68].mean(0)
    points[48:68, 0] = middle[0] + (points[48:68, 0] - middle[0]) * smile
    points[list(LOWER_LIP), 1] += opening
    points[5:12, 1] += opening
    image = np.full((size_px, size_px, 3), 200, np.uint8)
    for part, colour in ((slice(0, 27), (skin, skin - 20, skin - 30)), (slice(48, 60), (150, 40, 40))):
        _polygon(image, points[part], colour)
    for part in (slice(36, 42), slice(42, 48), slice(60, 68)):
        _polygon(image, points[part], (30, 30, 30))
    heatmaps = render_heatmaps((points[None] + 1) * (HEATMAP_PX / 2), "ibug68", HEATMAP_PX, SPEC)[0]
    return image.transpose(2, 0, 1), heatmaps, points


def _polygon(image: np.ndarray, points: np.ndarray, colour: tuple[int, int, int]) -> None:
    hull = cv2.convexHull(np.round((points + 1) * (image.shape[0] / 2)).astype(np.int32))
    cv2.fillConvexPoly(image, hull, colour)
