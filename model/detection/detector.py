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
from mien.model.landmarks.pose import Pose
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
    pose: Pose | None = field(default=None, kw_only=True)
    """Where the head turns, from more than the landmarks; None where nothing but they tells."""

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
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], faces: Sequence[FoundFace]
    ) -> Float32[np.ndarray, "n d"]:
        """What `embed` gives for one face in each of several pictures."""
        ...


@runtime_checkable
class FindsTogether(Protocol):
    """What a detector may have besides, where it looks at many pictures faster than one by one."""

    def find_each(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[list[FoundFace]]:
        """What `find` gives for each of several pictures, to the bit, whichever pictures are together."""
        ...


@runtime_checkable
class LoadsBeforehand(Protocol):
    """What a detector may have besides, where it loads weights when they are first used."""

    def load_weights(self) -> None:
        """Loads them now, so that nobody waits for them later."""
        ...


@runtime_checkable
class LooksWhereAsked(Protocol):
    """What a detector may have besides, where it need not search for a face whose place is known."""

    def look_each(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], points: Sequence[Float[np.ndarray, "68 2"]]
    ) -> list[FoundFace | None]:
        """The face in each picture whose common landmarks are about where the points are, in pixels of the picture.

        None where what is there does not look like a face: then `find` is asked. The points tell where to look; they
        must not be what is found.
        """
        ...


def find_each(detector: FaceDetector, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[list[FoundFace]]:
    """The faces in each of several pictures: together where the detector can, else one by one."""
    if isinstance(detector, FindsTogether):
        return detector.find_each(images)
    return [detector.find(image) for image in images]


def look_each(
    detector: FaceDetector,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    points: Sequence[Float[np.ndarray, "68 2"]],
) -> list[FoundFace | None]:
    """The face at known points in each of several pictures, else the largest; None where there is no face at all."""
    seen: list[FoundFace | None] = [None] * len(images)
    if isinstance(detector, LooksWhereAsked) and images:
        seen = detector.look_each(images, points)
    missing = [index for index, face in enumerate(seen) if face is None]
    for index, faces in zip(missing, find_each(detector, [images[index] for index in missing]), strict=True):
        seen[index] = faces[0] if faces else None
    return seen


def embed_each(
    detector: FaceDetector, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], faces: Sequence[FoundFace]
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


def find_faces_each(detector: FaceDetector, pictures: Sequence[np.ndarray]) -> list[list[FoundFace]]:
    """The faces in each of several pictures, as `find_faces` gives them.

    Raises:
        DetectorError, DecoderError, ImageError: as `find_faces`, of one of the pictures or of all.
    """
    with _failures():
        found = find_each(detector, pictures)
    _check_count(detector, "find_each", found, pictures)
    return [[_checked(face, detector) for face in faces] for faces in found]


def embed_faces_each(
    detector: FaceDetector, pictures: Sequence[np.ndarray], faces: Sequence[Sequence[FoundFace]]
) -> list[Float32[np.ndarray, "_ _"]]:
    """Identity embeddings of all faces in each of several pictures, each of which has one at least.

    Raises:
        DetectorError, DecoderError, ImageError: as `find_faces`, of one of the pictures or of all.
    """
    of_each = [picture for picture, found in zip(pictures, faces, strict=True) for _ in found]
    flat = [face for found in faces for face in found]
    with _failures():
        embeddings = embed_each(detector, of_each, flat)
    _check_count(detector, "embed_each", embeddings, flat)
    ends = np.cumsum([len(found) for found in faces])[:-1]
    return np.split(np.stack(embeddings), ends)


def _check_count(detector: FaceDetector, method: str, given: Sequence[object], asked: Sequence[object]) -> None:
    if len(given) != len(asked):
        raise DetectorError(f"the detector {detector.name} answers {len(given)} of {len(asked)} in {method}")


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
    if face.pose is not None and np.shape(face.pose) != (3,):
        raise DetectorError(
            f"the detector {detector.name} gave a pose of {len(face.pose)} numbers; it is yaw, pitch and roll: see "
            "docs/detectors.md"
        )
    return face
