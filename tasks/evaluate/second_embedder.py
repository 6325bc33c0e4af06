"""Identity by a second embedder: one that no training has learned from cannot have been learned by heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError
from mien.model.graphs.dlib_weights import EMBEDDING
from mien.tasks.errors import UsageError


def check_embedder(embedder: str | None, asked_as: str) -> None:
    """Raises UsageError where the second embedder cannot be loaded, or is the one that training learns from.

    Args:
        embedder: Named like a detector; None is none.
        asked_as: The option or setting that names it.
    """
    if embedder is None:
        return
    try:
        detector = load_detector(embedder)
    except DetectorError as error:
        raise UsageError(f"{asked_as}: {error}") from error
    if EMBEDDING in detector.weights_licences:
        raise UsageError(
            f"{asked_as} is {embedder}, whose embedding ({EMBEDDING}) is the one that training learns from: choose "
            "another, such as insightface: and a pack with a recognition model"
        )


@dataclass(frozen=True)
class SecondLook:
    """A detector, and the embedding of the person that results are held against."""

    detector: FaceDetector
    person: Float[np.ndarray, " d"] | None
    """None where it finds no face on the person's photo."""

    def similarity(self, image: UInt8[np.ndarray, "side side 3"]) -> float | None:
        """How alike the person of the picture is; None where one of the two has no face."""
        if self.person is None or (embedding := _embedding(self.detector, image)) is None:
            return None
        return float(self.detector.similarity(embedding, self.person))


def second_look(embedder: str | None, photo: UInt8[np.ndarray, "side side 3"]) -> SecondLook | None:
    """At the person of a photo; None without a second embedder."""
    if embedder is None:
        return None
    detector = load_detector(embedder)
    return SecondLook(detector, _embedding(detector, photo))


def _embedding(detector: FaceDetector, image: UInt8[np.ndarray, "side side 3"]) -> Float[np.ndarray, " d"] | None:
    found = detector.find(image)[:1]
    return detector.embed(image, found)[0] if found else None
