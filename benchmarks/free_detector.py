"""A detector that costs nothing: it says that a face is in the middle. For what is not about faces."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mien.model.detection.detector import FoundFace
from mien.model.detection.licences import WeightsLicence
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import LandmarkScheme

FREE_DETECTOR = "benchmarks.free_detector:Middle"
"""As `--faces` takes it."""


class Middle:
    """Finds the reference face in every picture."""

    name = "middle"
    version = "1"
    landmark_scheme: LandmarkScheme = "ibug68"
    same_person_similarity = group_similarity = 0.5
    weights_licences = {"no weights": WeightsLicence("nothing was trained", commercial=True)}  # noqa: RUF012

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """One face, the reference face."""
        side = min(image.shape[:2])
        points = reference_landmarks(AlignmentSettings(size_px=side)).astype(np.float32)
        return [FoundFace((0.0, 0.0, float(side), float(side)), 1.0, points, "ibug68")]

    def embed(self, image: np.ndarray, faces: Sequence[FoundFace]) -> np.ndarray:
        """Of its pixels."""
        return np.stack([cv2.resize(image, (8, 6)).ravel()[:128].astype(np.float32) for _ in faces])

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """1 − distance."""
        return np.asarray(1 - np.linalg.norm(first - second, axis=-1))
