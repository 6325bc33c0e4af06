"""Whose face it is, by dlib's network of 128 dimensions: run as an ONNX graph, without dlib's code.

dlib takes 60 ms of a core for a face, whether it is alone or not; ONNX Runtime takes 4, and 3 in a batch. The weights
are dlib's own, in the public domain (CC0). Between these embeddings and dlib's lies what `landmarks/face_chip.py` says
of the chips: 0.03 on photos, where two people lie 0.6 and more apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.licences import CC0, WeightsLicence
from mien.model.devices import check_device
from mien.model.graphs.dlib_embedding import dlib_embedding_graph
from mien.model.graphs.dlib_weights import EMBEDDING, read_dlib_weights, weight_file
from mien.model.graphs.network import Network
from mien.model.landmarks.face_chip import cut_chips

BATCH = 16
"""Faces that go through the network at once: more are no faster, and take more memory."""

_COMPUTATION = "onnx1"
"""Of the version: other chips or another network give other numbers from the same weights."""


class DlibEmbedding:
    """Embeds faces. The weights (22 MB) are loaded when first used, once per process and device.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        DetectorError: the package with the weights is not installed.
        DeviceError: no device has such a name.
    """

    same_person_similarity = 0.4
    """1 − 0.6, the distance that dlib's author recommends."""
    group_similarity = 0.6
    """Photos of two people of one origin reach 0.4 often enough; docs/decisions/0010 has what was measured."""

    def __init__(self, device: str = "cpu") -> None:
        check_device(device)
        self.device = device
        self._file = weight_file(EMBEDDING)

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """Terms of the weights."""
        return {EMBEDDING: CC0}

    @cached_property
    def version(self) -> str:
        """A hash of the weights, and the way that they are computed with."""
        return f"{hashlib.sha256(self._file.read_bytes()).hexdigest()[:12]}-{_COMPUTATION}"

    def load_weights(self) -> None:
        """Loads the weights now, so that nobody waits for them later.

        Raises:
            WeightsError: the file is damaged.
            DeviceError: this process has no such device.
        """
        _network(self.device)

    def embed_each(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], landmarks68: Sequence[Float[np.ndarray, "68 2"]]
    ) -> Float32[np.ndarray, "n 128"]:
        """Embeddings of one face in each of several RGB pictures, whose common landmarks are given in pixels.

        A face has the same embedding, to the bit, whichever others are with it.

        Raises:
            WeightsError, DeviceError: as `load_weights`.
        """
        parts = [np.zeros((0, 128), np.float32)]
        for start in range(0, len(images), BATCH):
            some = slice(start, start + BATCH)
            chips = cut_chips(images[some], landmarks68[some])
            parts.append(_network(self.device)(chips.transpose(0, 3, 1, 2).astype(np.float32))[0])
        return np.concatenate(parts)

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """1 − Euclidean distance, so that dlib's customary 0.6 becomes 0.4."""
        return np.asarray(1 - np.linalg.norm(first - second, axis=-1))


@cache
def _network(device: str) -> Network:
    return Network(dlib_embedding_graph(read_dlib_weights(weight_file(EMBEDDING))), device)
