"""dlib's detector with its embedding computed by torch, for pairs that somebody waits for.

The embedding is what takes longest of a pair: dlib takes 79 ms of a core for it, torch takes 12 (photos of 640 px, one
thread). Both use the same weights; the results differ by 1e-6, where two people lie 0.6 apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.load import load_detector
from mien.model.networks.embedder import DlibEmbedder


class QuickDlib(DlibDetector):
    """Implements `FaceDetector` as `DlibDetector` does. All weights are loaded at once, so that no pair waits for them.

    Raises:
        DetectorError: dlib or its weights are not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._network = DlibEmbedder()
        _ = self._detector, self._predictor

    def embed_each(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], faces: Sequence[FoundFace]
    ) -> Float32[np.ndarray, "n 128"]:
        """As `DlibDetector` gives them, within rounding."""
        if not faces:
            return np.zeros((0, 128), np.float32)
        chips = np.stack([self._chip(image, face) for image, face in zip(images, faces, strict=True)])
        with torch.inference_mode():
            return self._network(torch.from_numpy(chips).permute(0, 3, 1, 2).float()).numpy()


@cache
def load_pair_detector(spec: str) -> FaceDetector:
    """The detector of this name for single pairs, one per process.

    Raises:
        DetectorError: as `load_detector`.
    """
    detector = load_detector(spec)
    return QuickDlib() if type(detector) is DlibDetector else detector
