"""A detector as a team would write one: a file of its own, no base class, chosen as `tests.own_detector:DarkSquares`.

It finds dark squares on a light ground and takes them for faces: honest work, if not on people.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mien.model.detection.detector import FoundFace
from mien.model.detection.licences import WeightsLicence
from mien.model.landmarks.pose import Pose
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import LandmarkScheme

_LEAST_PX = 24


class DarkSquares:
    """Fits `FaceDetector`."""

    name = "dark squares"
    version = "1"
    landmark_scheme: LandmarkScheme = "ibug68"
    same_person_similarity = 0.9
    group_similarity = 0.9
    weights_licences = {"no weights": WeightsLicence("nothing was trained", commercial=True)}  # noqa: RUF012

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """The squares, largest first; their landmarks are those of the reference face."""
        dark = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) < 128).astype(np.uint8)
        boxes = [
            cv2.boundingRect(outline)
            for outline in cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        ]
        return [self._found(*box) for box in sorted(boxes, key=lambda box: -box[2] * box[3]) if box[2] >= _LEAST_PX]

    def _found(self, left: int, top: int, width: int, height: int) -> FoundFace:
        inside = reference_landmarks(AlignmentSettings(size_px=100)) / 100
        points = np.array([left, top]) + inside * [width, height]
        box = (float(left), float(top), float(left + width), float(top + height))
        return FoundFace(box, 1.0, points.astype(np.float32), "ibug68", found_by="outline")

    def embed(self, image: np.ndarray, faces: Sequence[FoundFace]) -> np.ndarray:
        """The mean colour of each, as a vector of length 1: people are told apart by it."""
        means = [_mean_colour(image, face) for face in faces]
        return np.array(means, np.float32).reshape(len(faces), 3)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The cosine."""
        return np.asarray((first * second).sum(-1))


def _mean_colour(image: np.ndarray, face: FoundFace) -> np.ndarray:
    left, top, right, bottom = (int(edge) for edge in face.bbox_xyxy)
    colour = image[top:bottom, left:right].reshape(-1, 3).mean(0) + 1e-3
    return colour / np.linalg.norm(colour)


class Together(DarkSquares):
    """Looks at several pictures at once, unless one of them has a first pixel that is black: on it it fails."""

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """As of one picture among several."""
        return self.find_each([image])[0]

    def find_each(self, images: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """The squares in each."""
        if any(not image[0, 0].any() for image in images):
            raise ValueError("a black corner")
        return [super(Together, self).find(image) for image in images]

    def embed_each(self, images: Sequence[np.ndarray], faces: Sequence[FoundFace]) -> np.ndarray:
        """Of one face in each."""
        parts = [self.embed(image, [face]) for image, face in zip(images, faces, strict=True)]
        return np.concatenate([np.zeros((0, 3), np.float32), *parts])


class Overlooking(DarkSquares):
    """Sees no face on a third of the pictures of 64 px, as may happen with generated ones; their bytes say on which."""

    SIDE_PX = 64

    def find(self, image: np.ndarray) -> list[FoundFace]:
        if image.shape[:2] == (self.SIDE_PX, self.SIDE_PX) and zlib.crc32(image.tobytes()) % 3 == 0:
            return []
        return super().find(image)


class Posed(DarkSquares):
    """Knows where its squares turn."""

    pose = Pose(12.0, -8.0, 30.0)

    def find(self, image: np.ndarray) -> list[FoundFace]:
        return [replace(face, pose=self.pose) for face in super().find(image)]


class Odd(DarkSquares):
    """Gives five points where it says 68, and fails on pictures that are all white."""

    def find(self, image: np.ndarray) -> list[FoundFace]:
        if image.all():
            raise ValueError("nothing but white")
        return [FoundFace((0.0, 0.0, 9.0, 9.0), 1.0, np.zeros((5, 2), np.float32), "ibug68")]


class OnlyFinds:
    """Lacks most of what a detector has."""

    def find(self, image: np.ndarray) -> list[FoundFace]:
        return []


class CannotBeMade:
    """As one whose weights are missing."""

    def __init__(self) -> None:
        raise OSError("no file weights.onnx\nin this folder")
