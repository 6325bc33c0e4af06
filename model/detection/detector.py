"""What finds faces: the protocol that the detectors share, and their loading by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from model.errors import DetectorError
from model.landmarks import LandmarkScheme
from model.licences import WeightsLicence
from model.plugins import check_place, is_place, load_class, source_hash


@dataclass(frozen=True)
class FoundFace:
    """A face found in a picture; coordinates as in `model.landmarks`, in pixels of the picture."""

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
    """Finds faces and their landmarks and describes whose they are. docs/detectors.md shows how to write one."""

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


KINDS = ("dlib", "insightface")


def check_detector(spec: str) -> None:
    """Raises DetectorError unless this can name a detector; whether it can be loaded is another matter."""
    kind, colon, rest = spec.partition(":")
    if spec == "dlib" or (kind == "insightface" and rest):
        return
    if kind in KINDS or not colon or not is_place(spec):
        raise DetectorError(
            f"unknown detector {spec!r}: use 'dlib' or 'insightface:PACK_OR_FOLDER' or 'module:Class' of your own"
        )
    check_place(spec)


@cache
def load_detector(spec: str) -> FaceDetector:
    """The detector of this name, one per process.

    Args:
        spec: `dlib`; `insightface:` and the name of a model pack or the folder that holds one; or `module:Class`, a
            class that can be imported and fits `FaceDetector` (docs/detectors.md).

    Raises:
        DetectorError: unknown name, missing package or module, a class that is no detector, or weights that cannot be
            had.
    """
    check_detector(spec)
    kind, _, rest = spec.partition(":")
    if kind == "dlib":
        from model.dlib_faces import DlibDetector

        return DlibDetector()
    if kind == "insightface":
        from model.insightface_faces import InsightFaceDetector

        return InsightFaceDetector(rest)
    return load_class(spec, FaceDetector)


def detector_version(spec: str) -> str:
    """Identifies code and weights of a detector: its own version, and of a `module:Class` its file as well.

    Raises:
        DetectorError: as `load_detector`.
    """
    version = load_detector(spec).version
    return version if spec.partition(":")[0] in KINDS else f"{version}-{source_hash(spec)}"
