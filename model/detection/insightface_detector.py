"""Faces by InsightFace on ONNX Runtime: SCRFD detector, 106 landmarks, ArcFace embedding.

What a model pack lacks is taken from dlib: its 68 landmarks where there is no `2d106det`; where there is no recognition
model its embedding, which needs dlib's weights and not its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mien.model.detection.detector import FoundFace
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.insightface_base import HALF, Box, FoundByScrfd, Image, Lender, PackDetector, bgr
from mien.model.detection.insightface_batches import landmarks_each
from mien.model.detection.landmark_ensemble import window_of_points
from mien.model.landmarks.schemes import LandmarkScheme

DLIB_FIVE = np.array([[0.281, 0.288], [0.719, 0.288], [0.5, 0.527], [0.316, 0.721], [0.684, 0.721]])
"""SCRFD's eyes, nose and mouth corners in the box of dlib's detector, as shares of its sides: means over the AT&T (ORL)
faces, made symmetric."""


class InsightFaceDetector(PackDetector):
    """Implements `FaceDetector`, with landmarks of the pack or of dlib; arguments and errors are those of the base."""

    @cached_property
    def _dlib(self) -> DlibDetector:
        return DlibDetector(self._device)

    def load_weights(self) -> None:
        """Loads all weights now, so that nobody waits for them later."""
        models = self._models
        if "landmark_2d_106" not in models:
            self._dlib.load_weights()
        if "recognition" not in models:
            self._dlib_embedding.load_weights()

    @property
    def landmark_scheme(self) -> LandmarkScheme:
        """106 points where the pack has them, else dlib's 68."""
        return "insightface106" if "landmark_2d_106" in self._models else "ibug68"

    @property
    def _lenders(self) -> Sequence[Lender]:
        if "landmark_2d_106" not in self._models:
            return [self._dlib]
        return [] if "recognition" in self._models else [self._dlib_embedding]

    def find_each(self, images: Sequence[Image]) -> list[list[FoundFace]]:
        """As `find`, in each of several pictures: SCRFD takes one after the other, their landmarks come together."""
        boxes = [self._boxes(image) for image in images]
        flat = [(image, box) for image, found in zip(images, boxes, strict=True) for box in found]
        faces = iter(self._faces(flat))
        found = [sorted((next(faces) for _ in each), key=lambda face: -face.area_px) for each in boxes]
        if self.landmark_scheme != "ibug68":
            return found
        return [each or self._dlib.find(image) for image, each in zip(images, found, strict=True)]

    def _faces(self, found: Sequence[tuple[Image, Box]]) -> list[FoundFace]:
        return [
            FoundByScrfd(
                (left, top, right, bottom),
                score,
                landmarks.astype(np.float32),
                self.landmark_scheme,
                found_by=box.found_by,
                landmark_scatter=scatter,
                five_xy=box.five_xy.astype(np.float32),
            )
            for (_, box), (landmarks, scatter) in zip(found, self._landmarks(found), strict=True)
            for left, top, right, bottom, score in [box.edges_and_score.tolist()]
        ]

    def _landmarks(self, found: Sequence[tuple[Image, Box]]) -> list[tuple[Float[np.ndarray, "n 2"], float | None]]:
        """The landmarks, and where dlib finds them their scatter."""
        if (model := self._models.get("landmark_2d_106")) is None:
            return [self._dlib.landmarks_in(image, window_of_points(box.five_xy, DLIB_FIVE)) for image, box in found]
        edges = [box.edges_and_score[:4] for _, box in found]
        return [(points + HALF, None) for points in landmarks_each(model, [bgr(image) for image, _ in found], edges)]
