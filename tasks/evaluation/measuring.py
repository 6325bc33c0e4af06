"""Measures each picture of each pair; runs in worker processes, which return numbers and landmarks, never pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from model.faces import FaceDetector, load_detector
from model.judging import landmark_error
from model.landmarks import eye_opening, mouth_opening, to_common
from model.metrics import l1, masked_l1, psnr, ssim
from model.regions import Region, region_mask
from storage import Root
from tasks.evaluation.methods import Pictures, make_pictures
from tasks.evaluation.record import PHOTO, Contest, EvaluationPair, Kind
from tasks.faces import detector_of
from tasks.pool import tick

_REGIONS: dict[str, Region] = {"mouth_l1": "mouth", "eye_l1": "eyes"}


@dataclass(frozen=True)
class Measured:
    """Of one picture."""

    values: dict[str, float] = field(default_factory=dict)
    """By measure; what needs a face is absent where none was found."""
    points: Float[np.ndarray, "68 2"] | None = None
    """Landmarks found on it, in [-1, 1]."""


@dataclass(frozen=True)
class MeasuredPair:
    """A pair, what was asked, and what each method made of it."""

    pair: EvaluationPair
    asked_points: Float[np.ndarray, "68 2"]
    methods: dict[str, Measured]


@dataclass(frozen=True)
class _Task:
    """What the pictures of one pair are held against."""

    source_points: Float[np.ndarray, "68 2"]
    asked_points: Float[np.ndarray, "68 2"]
    source_embedding: Float[np.ndarray, " d"]
    target_embedding: Float[np.ndarray, " d"]


def measure_chunk(root: Root, contest: Contest, kind: Kind, pairs: Sequence[EvaluationPair]) -> list[MeasuredPair]:
    """The pairs in their order; runs in a worker process."""
    pictures, detector = make_pictures(root, contest, pairs), load_detector(detector_of(root, contest.sets[0]))
    out: list[MeasuredPair] = []
    for n, pair in enumerate(pairs):
        task = _task(pictures, pair, n)
        measure = _same if kind == "same" else _cross
        methods = {
            method: measure(detector, images[n], pictures.targets[n], task)
            for method, images in pictures.results.items()
        }
        if kind == "cross" and pair.photo:
            methods[PHOTO] = Measured(_identity(_embedding(pictures, pair.photo), task))
        out.append(MeasuredPair(pair, pictures.asked_points[n], methods))
        tick()
    return out


def _task(pictures: Pictures, pair: EvaluationPair, n: int) -> _Task:
    embeddings = (_embedding(pictures, face_id) for face_id in (pair.source, pair.target))
    return _Task(pictures.source_points[n], pictures.asked_points[n], *embeddings)


def _embedding(pictures: Pictures, face_id: str) -> Float[np.ndarray, " d"]:
    return np.asarray(pictures.faces[face_id]["embedding"], np.float32)


def _same(detector: FaceDetector, image: np.ndarray, photo: np.ndarray, task: _Task) -> Measured:
    """Against the target photo."""
    pair = image[None] / 255, photo[None] / 255
    points = torch.from_numpy(task.asked_points[None]).float()
    values = {"l1": l1(*pair)[0], "psnr": psnr(*pair)[0], "ssim": ssim(*pair)[0]}
    for name, region in _REGIONS.items():
        values[name] = masked_l1(*pair, region_mask(points, len(image), region).numpy()[:, 0] > 0)[0]
    found, embedding = _find(detector, image)
    if found is None or embedding is None:
        return Measured({**_floats(values), "found": 0.0})
    values["nme"] = landmark_error(found, "ibug68", task.asked_points, "ibug68")
    values["identity_similarity"] = detector.similarity(embedding, task.target_embedding)
    values["identity_distance"] = np.linalg.norm(embedding - task.target_embedding)
    return Measured({**_floats(values), "found": 1.0}, found)


def _cross(detector: FaceDetector, image: np.ndarray, photo: np.ndarray, task: _Task) -> Measured:
    """Against what was asked; the driver's photo shows somebody else."""
    found, embedding = _find(detector, image)
    if found is None or embedding is None:
        return Measured({"found": 0.0})
    own, asked, reached = (_openings(points) for points in (task.source_points, task.asked_points, found))
    changes = {
        f"{part}_{what}": after[part] - own[part]
        for part in own
        for what, after in (("asked", asked), ("change", reached))
    }
    error = landmark_error(found, "ibug68", task.asked_points, "ibug68")
    return Measured({"nme": error, "found": 1.0, **_identity(embedding, task), **changes}, found)


def _find(
    detector: FaceDetector, image: np.ndarray
) -> tuple[Float[np.ndarray, "68 2"] | None, Float[np.ndarray, " d"] | None]:
    """Landmarks in [-1, 1] and embedding of the largest face."""
    found = detector.find(image)[:1]
    if not found:
        return None, None
    points = to_common(found[0].landmarks_xy, found[0].scheme) / len(image) * 2 - 1
    return points, detector.embed(image, found)[0]


def _identity(embedding: Float[np.ndarray, " d"], task: _Task) -> dict[str, float]:
    """Whose face it is: Euclidean distances of the embedding to the source's and the driver's, and which is less."""
    source, driver = (np.linalg.norm(embedding - other) for other in (task.source_embedding, task.target_embedding))
    return _floats({"identity_distance": source, "driver_distance": driver, "leak": float(driver < source)})


def _openings(points: Float[np.ndarray, "68 2"]) -> dict[str, float]:
    return {"mouth": mouth_opening(points, "ibug68"), "eyes": float(np.mean(eye_opening(points, "ibug68")))}


def _floats(values: dict[str, np.floating | np.ndarray | float | bool]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
