"""Faces by InsightFace on ONNX Runtime: SCRFD detector, 106 landmarks, ArcFace embedding.

What a model pack lacks is taken from dlib: its 68 landmarks where there is no `2d106det`; where there is no recognition
model its embedding, which needs dlib's weights and not its code. ONNX Runtime takes its threads from
`OMP_NUM_THREADS`, as the other libraries do.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
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
from mien.model.detection.insightface_batches import features_each, landmarks_each
from mien.model.detection.landmark_ensemble import window_of_points
from mien.model.detection.licences import WeightsLicence
from mien.model.devices import check_device
from mien.model.errors import DetectorError, first_line
from mien.model.graphs.network import providers_of
from mien.model.landmarks.alignment import bordered, similarity_transform, warp
from mien.model.landmarks.schemes import LandmarkScheme, five_points, to_common

Image = UInt8[np.ndarray, "_ _ 3"]

MODULES = ["detection", "landmark_2d_106", "recognition"]
BORDERS = (0.25, 0.0, 1.0)
"""Replicated border, as a share of the longer side, tried in this order until a face is found: SCRFD misses faces that
fill the picture, and small ones in a picture that its border made smaller still."""

DLIB_FIVE = np.array([[0.281, 0.288], [0.719, 0.288], [0.5, 0.527], [0.316, 0.721], [0.684, 0.721]])
"""SCRFD's eyes, nose and mouth corners in the box of dlib's detector, as shares of its sides: means over the AT&T (ORL)
faces, made symmetric."""
ARCFACE_PX = 112
"""Side of the picture that the library's template of ArcFace's five points is for."""

_HALF = 0.5
"""From the library's coordinates, from the centre of the first pixel, to ours (`model/landmarks/schemes.py`)."""
_TERMS = WeightsLicence(
    "as published by InsightFace: non-commercial research only, unless licensed from its makers", commercial=False
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _FoundByScrfd(FoundFace):
    """A face with the five points that ArcFace was trained to be aligned by."""

    five_xy: Float32[np.ndarray, "5 2"]


class _Box(NamedTuple):
    """A face as SCRFD finds it, in pixels of the picture."""

    edges_and_score: Float[np.ndarray, " 5"]
    """Left, top, right, bottom, score."""
    five_xy: Float[np.ndarray, "5 2"]
    found_by: str


class InsightFaceDetector:
    """Implements `FaceDetector`. The models are loaded when first used.

    Args:
        pack: Name of a model pack such as `buffalo_l`, which the library downloads on first use, or the folder of one.
        device: Where the models run: `cpu`, `cuda` or `cuda:N`. On CUDA by ONNX Runtime, whose CUDA build must be
            installed; by torch only what is taken from dlib.

    Raises:
        DetectorError: no such pack, no way to download it, or a folder without models.
        DeviceError: no device has such a name.
    """

    def __init__(self, pack: str, device: str = "cpu") -> None:
        check_device(device)
        self._device = device
        self.name = f"insightface:{pack}"
        self._folder = _pack_folder(pack)

    @cached_property
    def _models(self) -> dict[str, Any]:
        return _load_models(self._folder, self._device)

    @cached_property
    def _dlib(self) -> DlibDetector:
        return DlibDetector(self._device)

    @cached_property
    def _dlib_embedding(self) -> DlibEmbedding:
        return DlibEmbedding(self._device)

    def load_weights(self) -> None:
        """Loads all weights now, so that nobody waits for them later."""
        models = self._models
        if "landmark_2d_106" not in models:
            self._dlib.load_weights()
        if "recognition" not in models:
            self._dlib_embedding.load_weights()

    @property
    def landmark_scheme(self) -> LandmarkScheme:
        """106 points where the pack has them, else dlib's 68."""
        return "insightface106" if "landmark_2d_106" in self._models else "ibug68"

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
        """Version of the library and hashes of the models; with dlib's where dlib takes part."""
        return "-".join([f"insightface-{self._hashes}", *(part.version for part in self._lent)])

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """Terms of the models."""
        own = {Path(model.model_file).name: _TERMS for model in self._models.values()}
        return own | {name: terms for part in self._lent for name, terms in part.weights_licences.items()}

    @property
    def _lent(self) -> list[DlibDetector | DlibEmbedding]:
        """What is taken from dlib."""
        if "landmark_2d_106" not in self._models:
            return [self._dlib]
        return [] if "recognition" in self._models else [self._dlib_embedding]

    @cached_property
    def _hashes(self) -> str:
        import insightface

        files = sorted(Path(model.model_file) for model in self._models.values())
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files]
        return "-".join([insightface.__version__, *hashes])

    def find(self, image: Image) -> list[FoundFace]:
        """Faces of an RGB picture, the largest first; where dlib takes part, it is asked when SCRFD finds none."""
        return self.find_each([image])[0]

    def find_each(self, images: Sequence[Image]) -> list[list[FoundFace]]:
        """As `find`, in each of several pictures: SCRFD takes one after the other, their landmarks come together."""
        boxes = [self._boxes(image) for image in images]
        flat = [(image, box) for image, found in zip(images, boxes, strict=True) for box in found]
        faces = iter(self._faces(flat))
        found = [sorted((next(faces) for _ in each), key=lambda face: -face.area_px) for each in boxes]
        if self.landmark_scheme != "ibug68":
            return found
        return [each or self._dlib.find(image) for image, each in zip(images, found, strict=True)]

    def _boxes(self, image: Image) -> list[_Box]:
        for border in BORDERS:
            border_px = round(border * max(image.shape[:2]))
            boxes, fives = self._models["detection"].detect(_bgr(bordered(image, border_px)))
            if len(boxes):
                by = f"scrfd border {border:g}"
                return [_Box(*_moved(box, five, -border_px), by) for box, five in zip(boxes, fives, strict=True)]
        return []

    def _faces(self, found: Sequence[tuple[Image, _Box]]) -> list[FoundFace]:
        return [
            _FoundByScrfd(
                (left, top, right, bottom),
                score,
                landmarks.astype(np.float32),
                self.landmark_scheme,
                found_by=box.found_by,
                landmark_scatter=scatter,
                five_xy=box.five_xy.astype(np.float32),
            )
            for (_, box), (landmarks, scatter) in zip(found, self._landmarks(found), strict=True)
            for left, top, right, bottom, score in [box.edges_and_score.tolist()]
        ]

    def _landmarks(self, found: Sequence[tuple[Image, _Box]]) -> list[tuple[Float[np.ndarray, "n 2"], float | None]]:
        """The landmarks, and where dlib finds them their scatter."""
        if (model := self._models.get("landmark_2d_106")) is None:
            return [self._dlib.landmarks_in(image, window_of_points(box.five_xy, DLIB_FIVE)) for image, box in found]
        edges = [box.edges_and_score[:4] for _, box in found]
        return [(points + _HALF, None) for points in landmarks_each(model, [_bgr(image) for image, _ in found], edges)]

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

    five = face.five_xy if isinstance(face, _FoundByScrfd) else five_points(face.landmarks_xy, face.scheme)
    side_px = int(model.input_size[0])
    template = (arcface_dst.astype(np.float64) + _HALF) * (side_px / ARCFACE_PX)
    return _bgr(warp(image, similarity_transform(five, template), side_px))


def _bgr(image: Image) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def _moved(
    box: Float[np.ndarray, " 5"], five: Float[np.ndarray, "5 2"], by_px: int
) -> tuple[Float[np.ndarray, " 5"], Float[np.ndarray, "5 2"]]:
    """A box with its score and its five points, moved along both axes, in our coordinates."""
    moved = box.astype(np.float64)
    moved[:4] += by_px + _HALF
    return moved, five.astype(np.float64) + by_px + _HALF


def _pack_folder(pack: str) -> Path:
    folder = Path(pack).expanduser()
    if not folder.is_dir():
        if folder.name != pack:
            raise DetectorError(f"no folder {pack}: give the folder of an InsightFace model pack, or a pack's name")
        folder = _downloaded(pack)
    # Some packs were zipped with their folder.
    folders = [folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())]
    found = next((inner for inner in folders if any(inner.glob("*.onnx"))), None)
    if found is None:
        raise DetectorError(f"no .onnx models in {folder}: put the files of an InsightFace model pack there")
    return found.resolve()


def _downloaded(pack: str) -> Path:
    """The folder the library keeps its packs in, after it has put this one there."""
    from insightface.utils.storage import ensure_available, model_zoo_download_url

    home = Path("~/.insightface/models").expanduser() / pack
    if home.is_dir():
        return home
    url = model_zoo_download_url(f"{pack}.zip")
    _log.warning("downloading the InsightFace model pack %s from %s", pack, url)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return Path(ensure_available("models", pack))
    except Exception as error:
        raise DetectorError(
            f"the model pack {pack!r} could not be downloaded ({type(error).__name__}): get {url} by hand, "
            f"unpack it and use insightface:FOLDER, or use another detector such as dlib"
        ) from error


def _load_models(folder: Path, device: str) -> dict[str, Any]:
    """The models of a pack by task; on the CPU where ONNX Runtime lacks the device. The library reports what it loads
    on stdout."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            analysis = FaceAnalysis(
                name=str(folder),
                allowed_modules=MODULES,
                sess_options=options,
                providers=providers_of(device) or providers_of("cpu"),
            )
            analysis.prepare(ctx_id=0)
    except Exception as error:
        reason = first_line(error) if str(error) else "no face detector among them"
        raise DetectorError(f"the models in {folder} could not be loaded: {reason}") from error
    if not getattr(analysis.det_model, "use_kps", False):
        raise DetectorError(f"the detector in {folder} gives no five points: use a pack with a *_kps detector")
    return dict(analysis.models)
