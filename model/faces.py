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
    """Finds faces and their landmarks and describes whose they are."""

    @property
    def name(self) -> str:
        """What `load_detector` was asked for."""
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
    def weights_licences(self) -> dict[str, str]:
        """For each weight file the terms that its makers publish it under, in one sentence."""
        ...

    @property
    def same_person_similarity(self) -> float:
        """Customary threshold: two photos at least this similar are taken for one person."""
        ...

    def find(self, image: UInt8[np.ndarray, "h w 3"]) -> list[FoundFace]:
        """The faces in a picture, largest first; empty if there is none."""
        ...

    def embed(self, image: UInt8[np.ndarray, "h w 3"], faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n d"]:
        """One identity embedding per face found in this picture; no faces give an array of no rows."""
        ...

    def embed_each(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[FoundFace]
    ) -> Float32[np.ndarray, "n d"]:
        """The embeddings of one face in each of several pictures, together: what `embed` gives for each."""
        ...

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """How alike the people of embeddings are; higher is more alike."""
        ...


KINDS = ("dlib", "insightface")


def check_detector(spec: str) -> None:
    """Raises DetectorError unless `load_detector` knows this name; whether its weights can be had is another matter."""
    kind, _, pack = spec.partition(":")
    if kind not in KINDS or bool(pack) != (kind == "insightface"):
        raise DetectorError(f"unknown detector {spec!r}: use 'dlib' or 'insightface:PACK_OR_FOLDER'")


@cache
def load_detector(spec: str) -> FaceDetector:
    """The detector of this name, one per process.

    Args:
        spec: `dlib`, or `insightface:` and the name of a model pack or the folder that holds one.

    Raises:
        DetectorError: unknown name, missing package, or weights that cannot be had.
    """
    check_detector(spec)
    kind, _, pack = spec.partition(":")
    if kind == "dlib":
        from model.dlib_faces import DlibDetector

        return DlibDetector()
    from model.insightface_faces import InsightFaceDetector

    return InsightFaceDetector(pack)
