"""Faces by dlib: HOG detector, 68 landmarks, 128-d embedding.

The weights come with the package `face-recognition-models`, the code with `dlib-bin`: no download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from model.alignment import Matrix, apply_transform, invert_transform, warp
from model.errors import DetectorError
from model.faces import FoundFace
from model.landmarks import LandmarkScheme, interocular_px, to_common

PACKAGE = "face_recognition_models"
LANDMARKS = "shape_predictor_68_face_landmarks.dat"
EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"

Image = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Attempt:
    """A scale and a border to look at a picture with.

    The HOG detector finds faces of 80 px and more, and only where there is room around them.
    """

    least_side_px: int
    """A picture whose shorter side is smaller is enlarged to this."""
    most_side_px: int
    """One whose shorter side is larger is shrunk to this."""
    border: float
    """Replicated border, as a share of the shorter side."""


# The first one finds all but a few; the others are for those.
ATTEMPTS = (
    Attempt(184, 480, 0.25),
    Attempt(260, 480, 0.35),
    Attempt(138, 300, 0.2),
    Attempt(200, 1000, 0.1),
)
MOST_BORDER_PX = 100
HALF = 0.5
"""dlib counts from the centre of the first pixel."""
WINDOW_PX = 400
"""Side of what is cut out around a face for its landmarks or embedding."""
WINDOW_EYES_PX = 120
"""Distance of the outer eye corners in it."""
WINDOW_BOX_PX = 200
"""Side of dlib's box in it."""


def weight_file(name: str) -> Path:
    """A weight file of the package, found without importing it (it needs a module that setuptools no longer has).

    Raises:
        DetectorError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DetectorError("the detector dlib needs its code and weights: pip install 'mien[dlib]'")
    return Path(spec.origin).parent / "models" / name


class DlibDetector:
    """Fits `FaceDetector`."""

    name = "dlib"
    landmark_scheme: LandmarkScheme = "ibug68"
    same_person_similarity = 0.4
    """1 − 0.6, the distance that dlib's author recommends."""

    weights_licences = {  # noqa: RUF012  # the protocol asks for a plain dict
        "dlib shape_predictor_68_face_landmarks": "trained on iBUG 300-W, whose terms exclude commercial use",
        "dlib_face_recognition_resnet_model_v1": "CC0",
    }

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise DetectorError("the detector dlib needs its code and weights: pip install 'mien[dlib]'") from error
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(weight_file(LANDMARKS)))

    @cached_property
    def _embedder(self) -> Any:
        return self._dlib.face_recognition_model_v1(str(weight_file(EMBEDDING)))

    @cached_property
    def version(self) -> str:
        """Library version and hashes of the weights."""
        hashes = [hashlib.sha256(weight_file(name).read_bytes()).hexdigest()[:12] for name in (LANDMARKS, EMBEDDING)]
        return f"dlib-{self._dlib.__version__}-{'-'.join(hashes)}"

    def find(self, image: Image) -> list[FoundFace]:
        """Faces of an RGB picture, the largest first. The attempts go on until one finds a face."""
        tried: set[tuple[int, ...]] = set()
        for attempt in ATTEMPTS:
            view = _View.of(image, attempt)
            if view.pixels.shape in tried:
                continue
            tried.add(view.pixels.shape)
            if found := list(self._find_in(view)):
                return sorted(found, key=lambda face: -face.area_px)
        return []

    def _find_in(self, view: _View) -> Iterator[FoundFace]:
        boxes, scores, _ = self._detector.run(view.pixels, 0, 0.0)
        for box, score in zip(boxes, scores, strict=True):
            corners = np.array([[box.left(), box.top()], [box.right(), box.bottom()]], np.float64)
            landmarks = self._landmarks(view.pixels, box)
            yield FoundFace(
                tuple(map(float, view.to_image(corners).ravel())), float(score), view.to_image(landmarks).astype(np.float32), "ibug68"
            )

    def _landmarks(self, pixels: Image, box: Any) -> Float[np.ndarray, "68 2"]:
        shape = self._predictor(pixels, box)
        return np.array([[point.x, point.y] for point in shape.parts()], np.float64) + HALF

    def landmarks_in(self, image: Image, box_xyxy: Float[np.ndarray, " 4"]) -> Float32[np.ndarray, "68 2"]:
        """The 68 landmarks of a face that another detector found, whose box is framed as dlib would."""
        window, matrix = _window(image, box_xyxy.reshape(2, 2).mean(0), WINDOW_BOX_PX / float(box_xyxy[2] - box_xyxy[0]))
        corners = np.rint(apply_transform(matrix, box_xyxy.reshape(2, 2))).astype(int)
        box = self._dlib.rectangle(*(int(value) for value in corners.ravel()))
        return apply_transform(invert_transform(matrix), self._landmarks(window, box)).astype(np.float32)

    def embed(self, image: Image, faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n 128"]:
        """128-d embeddings of faces that were found in this picture."""
        chips = [self._chip(image, face) for face in faces]
        if not chips:
            return np.zeros((0, 128), np.float32)
        return np.array(self._embedder.compute_face_descriptor(chips), np.float32)

    def _chip(self, image: Image, face: FoundFace) -> Any:
        """The face as the embedder wants it, 150 px square."""
        landmarks = to_common(face.landmarks_xy, face.scheme).astype(np.float64)
        eyes_px = max(interocular_px(landmarks, "ibug68"), 1.0)
        window, matrix = _window(image, landmarks.mean(0), WINDOW_EYES_PX / eyes_px)
        # dlib takes whole pixels, which is why the window is larger than the chip.
        points = [self._dlib.point(int(x), int(y)) for x, y in np.rint(apply_transform(matrix, landmarks) - HALF)]
        whole = self._dlib.rectangle(0, 0, WINDOW_PX, WINDOW_PX)
        return self._dlib.get_face_chip(window, self._dlib.full_object_detection(whole, points), size=150, padding=0.25)

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """1 − Euclidean distance, so that dlib's customary 0.6 becomes 0.4."""
        return np.asarray(1 - np.linalg.norm(first - second, axis=-1))


@dataclass(frozen=True)
class _View:
    """A picture as a detector looks at it: scaled, with a border."""

    pixels: Image
    scale: float
    border_px: int

    @staticmethod
    def of(image: Image, attempt: Attempt) -> _View:
        shorter_px = min(image.shape[:2])
        wanted_px = min(max(shorter_px, attempt.least_side_px), attempt.most_side_px)
        return _View._scaled(image, wanted_px / shorter_px, min(round(wanted_px * attempt.border), MOST_BORDER_PX))

    @staticmethod
    def _scaled(image: Image, scale: float, border_px: int) -> _View:
        height, width = (max(round(side * scale), 1) for side in image.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = image if scale == 1 else cv2.resize(image, (width, height), interpolation=how)
        framed = cv2.copyMakeBorder(scaled, *[border_px] * 4, cv2.BORDER_REPLICATE) if border_px else scaled
        return _View(np.ascontiguousarray(framed, np.uint8), scale, border_px)

    def to_image(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Points of this view, where they are in the picture."""
        return (points - self.border_px) / self.scale


def _window(image: Image, centre: Float[np.ndarray, " 2"], scale: float) -> tuple[Image, Matrix]:
    """The surroundings of a face at another scale, WINDOW_PX square, and the transform into them."""
    middle = WINDOW_PX / 2
    matrix = np.array([[scale, 0, middle - scale * centre[0]], [0, scale, middle - scale * centre[1]]])
    return warp(image, matrix, WINDOW_PX), matrix
