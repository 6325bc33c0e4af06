"""What finds faces: the interface that the detectors share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.licences import WeightsLicence
from mien.model.errors import DecoderError, DetectorError, ImageError, first_line, out_of_memory
from mien.model.landmarks.schemes import POINTS, LandmarkScheme


@dataclass(frozen=True)
class FoundFace:
    """A face found in a picture; coordinates as in `model/landmarks/schemes.py`, in pixels of the picture."""

    bbox_xyxy: tuple[float, float, float, float]
    """Left, top, right, bottom."""
    score: float
    """The detector's confidence, in the detector's own unit."""
    landmarks_xy: Float32[np.ndarray, "points 2"]
    scheme: LandmarkScheme
    found_by: str = field(default="", kw_only=True)
    """Which detector found it, and at which attempt."""
    landmark_scatter: float | None = field(default=None, kw_only=True)
    """How far several looks at its landmarks lie apart, as a share of the inter-ocular distance; None if there was but
    one look."""

    @property
    def area_px(self) -> float:
        """Area of the box."""
        left, top, right, bottom = self.bbox_xyxy
        return (right - left) * (bottom - top)


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces and their landmarks, and embeds whose faces they are. docs/detectors.md shows how to write one."""

    @property
    def name(self) -> str:
        """How people call it."""
        ...

    @property
    def version(self) -> str:
        """Identifies code and weights: library versions and a hash of the weight files."""
        ...

    @property
    def landmark_scheme(self) -> LandmarkScheme:
        """Scheme of the landmarks that `find` gives."""
        ...

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """For each weight file the terms that its makers publish it under."""
        ...

    @property
    def same_person_similarity(self) -> float:
        """Customary threshold: two photos at least this similar are taken for one person."""
        ...

    @property
    def group_similarity(self) -> float:
        """Threshold for groups: faces at least this similar on average are grouped as one person."""
        ...

    def find(self, image: UInt8[np.ndarray, "h w 3"]) -> list[FoundFace]:
        """The faces in a picture, largest first; empty if there is none."""
        ...

    def embed(self, image: UInt8[np.ndarray, "h w 3"], faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n d"]:
        """One identity embedding per face found in this picture; no faces give an array of no rows."""
        ...

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """How alike the people of embeddings are; higher is more alike."""
        ...


@runtime_checkable
class EmbedsTogether(Protocol):
    """What a detector may have besides, where it embeds many faces faster than one by one."""

    def embed_each(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[FoundFace]
    ) -> Float32[np.ndarray, "n d"]:
        """What `embed` gives for one face in each of several pictures."""
        ...


def embed_each(
    detector: FaceDetector, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[FoundFace]
) -> list[Float32[np.ndarray, " d"]]:
    """The embeddings of one face in each of several pictures: together where the detector can, else one by one."""
    if isinstance(detector, EmbedsTogether):
        return list(detector.embed_each(images, faces))
    return [detector.embed(image, [face])[0] for image, face in zip(images, faces, strict=True)]


def find_faces(detector: FaceDetector, pixels: np.ndarray) -> list[FoundFace]:
    """The faces in a picture, largest first.

    Raises:
        DecoderError: this machine lacks what it takes: memory, or a file or service that the detector asks.
        ImageError: the detector failed on it. Libraries in C++ may raise anything on odd pictures; one such picture
            must not end the run.
        DetectorError: it did not return faces, so it will not work on any other picture.
    """
    with _failures():
        return [_checked(face, detector) for face in detector.find(pixels)]


def embed_faces(detector: FaceDetector, pixels: np.ndarray, faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n d"]:
    """One identity embedding per face found in this picture.

    Raises:
        DetectorError, DecoderError, ImageError: as `find_faces`.
    """
    with _failures():
        return detector.embed(pixels, faces)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (DetectorError, ImageError):
        raise
    except Exception as error:
        if out_of_memory(error):
            raise DecoderError("there is not enough memory to look for faces: take fewer --workers") from error
        passing = isinstance(error, OSError)
        why = f"the detector failed on it ({type(error).__name__}: {first_line(error)})"
        raise (DecoderError if passing else ImageError)(why) from error


def _checked(face: FoundFace, detector: FaceDetector) -> FoundFace:
    expected, shape = (POINTS.get(face.scheme), 2), np.shape(face.landmarks_xy)
    if shape != expected:
        raise DetectorError(
            f"the detector {detector.name} gave landmarks of shape {shape} as {face.scheme!r}; a scheme is one of "
            f"{', '.join(POINTS)}, of {' or '.join(map(str, POINTS.values()))} points: see docs/detectors.md"
        )
    return face
