"""Faces by InsightFace's SCRFD, landmarks by MediaPipe's mesh, embedding by the pack's ArcFace or by dlib's network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mien.model.detection.detector import FoundFace
from mien.model.detection.face_mesh import window_of_box
from mien.model.detection.insightface_base import Box, Image, Lender, PackDetector
from mien.model.detection.mediapipe_detector import MediaPipeDetector
from mien.model.landmarks.alignment import Matrix
from mien.model.landmarks.schemes import LandmarkScheme

_SMALLER, _LOWER = 0.903, 0.053
"""The face that the mesh covers in SCRFD's box, as shares of the box's longer side: how large it is, and how much lower
its middle lies; means over the AT&T (ORL) faces."""


class InsightFaceMeshDetector(PackDetector):
    """Implements `FaceDetector`, and finds, looks where it is asked and embeds many faces at once.

    The landmarks of the pack, if it has any, are not used. Boxes and scores are those of the mesh, and ArcFace's chips
    are cut by its points too: a face has the same ones whether it was found or looked at where it was asked for.

    Args:
        pack: As of `PackDetector`.
        device: As of `PackDetector`; the mesh runs on CUDA by torch.

    Raises:
        DetectorError: a package with MediaPipe's or dlib's weights is not installed; or as of `PackDetector`.
        DeviceError: no device has such a name.
    """

    landmark_scheme: LandmarkScheme = "mediapipe478"

    def __init__(self, pack: str, device: str = "cpu") -> None:
        super().__init__(pack, device)
        self._mediapipe = MediaPipeDetector(device)
        self.name = f"{self.name}+{self._mediapipe.name}"

    @property
    def _lenders(self) -> Sequence[Lender]:
        return [self._mediapipe]

    def load_weights(self) -> None:
        """Loads all weights now, so that nobody waits for them later.

        Raises:
            DetectorError, WeightsError, DeviceError: as `MediaPipeDetector.load_weights`, and of the pack.
        """
        _ = self._models
        self._mediapipe.load_weights()

    def find_each(self, images: Sequence[Image]) -> list[list[FoundFace]]:
        """As `find`, in each of several pictures: SCRFD takes one after the other, their meshes come together."""
        boxes = [self._boxes(image) for image in images]
        windows = [[_window(box) for box in each] for each in boxes]
        found = self._mediapipe.faces_in(images, windows, [each[0].found_by if each else "" for each in boxes])
        missed = [index for index, faces in enumerate(found) if not faces]
        for index, faces in zip(missed, self._mediapipe.find_each([images[index] for index in missed]), strict=True):
            found[index] = faces
        return found

    def look_each(self, images: Sequence[Image], points: Sequence[Float[np.ndarray, "68 2"]]) -> list[FoundFace | None]:
        """The face in each picture whose common landmarks are about where the points are; None where there is none."""
        return self._mediapipe.look_each(images, points)


def _window(box: Box) -> Matrix:
    """Into the window around the face in SCRFD's box."""
    (left, top, right, bottom), eyes = box.edges_and_score[:4], box.five_xy[1] - box.five_xy[0]
    side = max(right - left, bottom - top)
    down = np.array([-eyes[1], eyes[0]]) / max(float(np.linalg.norm(eyes)), 1e-6)
    centre = np.array([left + right, top + bottom]) / 2 + _LOWER * side * down
    half = _SMALLER * side / 2
    return window_of_box(np.concatenate([centre - half, centre + half]), box.five_xy[0], box.five_xy[1])
