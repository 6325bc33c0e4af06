"""What the detectors with a model pack of InsightFace share: SCRFD's boxes, and ArcFace's embedding or dlib's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.detector import FoundFace
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.dlib_embedding import DlibEmbedding
from mien.model.detection.insightface_batches import features_each
from mien.model.detection.insightface_pack import TERMS, load_models, pack_folder, version_of
from mien.model.detection.licences import WeightsLicence
from mien.model.detection.mediapipe_detector import MediaPipeDetector
from mien.model.devices import check_device
from mien.model.landmarks.alignment import bordered, similarity_transform, warp
from mien.model.landmarks.schemes import five_points, to_common

Image = UInt8[np.ndarray, "_ _ 3"]

Lender = DlibDetector | DlibEmbedding | MediaPipeDetector
"""What lends a pack what it lacks."""

BORDERS = (0.25, 0.0, 1.0)
"""Replicated border, as a share of the longer side, tried in this order until a face is found: SCRFD misses faces that
fill the picture, and small ones in a picture that its border made smaller still."""

ARCFACE_PX = 112
"""Side of the picture that the library's template of ArcFace's five points is for."""

HALF = 0.5
"""From the library's coordinates, from the centre of the first pixel, to ours (`model/landmarks/schemes.py`)."""


@dataclass(frozen=True)
class FoundByScrfd(FoundFace):
    """A face with the five points that ArcFace was trained to be aligned by."""

    five_xy: Float32[np.ndarray, "5 2"]


class Box(NamedTuple):
    """A face as SCRFD finds it, in pixels of the picture."""

    edges_and_score: Float[np.ndarray, " 5"]
    """Left, top, right, bottom, score."""
    five_xy: Float[np.ndarray, "5 2"]
    """Eyes, nose and mouth corners; of two the one on the picture's left first."""
    found_by: str


class PackDetector(ABC):
    """Implements what is common. The models are loaded when first used.

    Args:
        pack: Name of a model pack such as `buffalo_l`, which the library downloads on first use, or the folder of one.
        device: `cpu`, `cuda` or `cuda:N`. ONNX Runtime runs the pack's models, on CUDA only where its CUDA build is
            installed and else on the CPU; torch runs on CUDA what others lend.

    Raises:
        DetectorError: no such pack, no way to download it, or a folder without models.
        DeviceError: no device has such a name.
    """

    def __init__(self, pack: str, device: str = "cpu") -> None:
        check_device(device)
        self._device = device
        self.name = f"insightface:{pack}"
        self._folder = pack_folder(pack)

    @property
    @abstractmethod
    def _lenders(self) -> Sequence[Lender]:
        """Those of what the pack lacks; together they name each file once."""

    @abstractmethod
    def find_each(self, images: Sequence[Image]) -> list[list[FoundFace]]:
        """As `find`, in each of several pictures."""

    def find(self, image: Image) -> list[FoundFace]:
        """Faces of an RGB picture, the largest first; who lends landmarks is asked where SCRFD finds none."""
        return self.find_each([image])[0]

    @cached_property
    def _models(self) -> dict[str, Any]:
        return load_models(self._folder, self._device)

    @cached_property
    def _dlib_embedding(self) -> DlibEmbedding:
        return DlibEmbedding(self._device)

    @property
    def same_person_similarity(self) -> float:
        """Cosine at which ArcFace models are customarily said to show one person; dlib's own for dlib's embedding."""
        return 0.35 if "recognition" in self._models else DlibEmbedding.same_person_similarity

    @property
    def group_similarity(self) -> float:
        """The same of ArcFace's embeddings, not measured here; dlib's own for dlib's."""
        return self.same_person_similarity if "recognition" in self._models else DlibEmbedding.group_similarity

    @property
    def version(self) -> str:
        """Version of the library and hashes of the models; with those of what is lent."""
        return "-".join([self._own_version, *(lender.version for lender in self._lenders)])

    @cached_property
    def _own_version(self) -> str:
        return version_of(Path(model.model_file) for model in self._models.values())

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """Terms of the models."""
        own = {Path(model.model_file).name: TERMS for model in self._models.values()}
        return own | {name: terms for lender in self._lenders for name, terms in lender.weights_licences.items()}

    def _boxes(self, image: Image) -> list[Box]:
        for border in BORDERS:
            border_px = round(border * max(image.shape[:2]))
            boxes, fives = self._models["detection"].detect(bgr(bordered(image, border_px)))
            if len(boxes):
                by = f"scrfd border {border:g}"
                return [Box(*_moved(box, five, -border_px), by) for box, five in zip(boxes, fives, strict=True)]
        return []

    def embed(self, image: Image, faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n d"]:
        """ArcFace embeddings of unit length; dlib's where the pack has no recognition model."""
        return self.embed_each([image] * len(faces), faces)

    def embed_each(self, images: Sequence[Image], faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n d"]:
        """As `embed`, for one face in each of several pictures."""
        model = self._models.get("recognition")
        if model is None:
            landmarks = [to_common(face.landmarks_xy, face.scheme) for face in faces]
            return self._dlib_embedding.embed_each(images, landmarks)
        if not faces:
            return np.zeros((0, model.output_shape[1]), np.float32)
        chips = [_arcface_input(model, *each) for each in zip(images, faces, strict=True)]
        features = features_each(model, chips)
        return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """Cosine of ArcFace embeddings; dlib's similarity of dlib's."""
        if "recognition" not in self._models:
            return self._dlib_embedding.similarity(first, second)
        lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
        return np.asarray((first * second).sum(-1) / lengths)


def _arcface_input(model: Any, image: Image, face: FoundFace) -> Image:
    from insightface.utils.face_align import arcface_dst

    five = face.five_xy if isinstance(face, FoundByScrfd) else five_points(face.landmarks_xy, face.scheme)
    side_px = int(model.input_size[0])
    template = (arcface_dst.astype(np.float64) + HALF) * (side_px / ARCFACE_PX)
    return bgr(warp(image, similarity_transform(five, template), side_px))


def bgr(image: Image) -> Image:
    """The channels in the order of the library."""
    return np.ascontiguousarray(image[..., ::-1])


def _moved(
    box: Float[np.ndarray, " 5"], five: Float[np.ndarray, "5 2"], by_px: int
) -> tuple[Float[np.ndarray, " 5"], Float[np.ndarray, "5 2"]]:
    """A box with its score and its five points, moved along both axes, in our coordinates."""
    moved = box.astype(np.float64)
    moved[:4] += by_px + HALF
    return moved, five.astype(np.float64) + by_px + HALF
