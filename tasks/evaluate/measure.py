"""Measures each picture of each pair; runs in worker processes, which return numbers and landmarks, never pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mien.model.detection.detector import FaceDetector, embed_each, look_each
from mien.model.detection.load import load_detector
from mien.model.evaluation.metrics import l1, masked_l1, psnr, ssim
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.schemes import eye_opening, mouth_opening, to_common
from mien.model.quality.judge import landmark_error
from mien.model.quality.sharpness import sharpness_values
from mien.model.warping.masks import Region, region_mask
from mien.storage import Root
from mien.tasks.evaluate.methods import Pictures, make_pictures
from mien.tasks.evaluate.results import COPY, PHOTO, SOURCES_OF, EvaluationInputs, EvaluationPair, Kind
from mien.tasks.evaluate.second_embedder import SecondLook, second_look
from mien.tasks.runtime.workers import tick
from mien.tasks.sets.face_columns import embedding_of
from mien.tasks.sets.faces import detector_of

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


class _Seen(NamedTuple):
    """The largest face that the detector finds on a picture."""

    points: Float[np.ndarray, "68 2"]
    """In [-1, 1]."""
    embedding: Float[np.ndarray, " d"]


@dataclass(frozen=True)
class _Task:
    """What the pictures of one pair are held against."""

    photo: UInt8[np.ndarray, "side side 3"]
    """The target, or the driver."""
    source_points: Float[np.ndarray, "68 2"]
    """Landmarks of the source as the table has them; what is asked for was derived from those."""
    copy_points: Float[np.ndarray, "68 2"]
    """The same as found on the source when it is measured like a result, which makes a copy reach exactly nothing."""
    asked_points: Float[np.ndarray, "68 2"]
    source_embedding: Float[np.ndarray, " d"]
    target_embedding: Float[np.ndarray, " d"]
    second: SecondLook | None
    """At the person whom the results should show."""


def measure_chunk(
    root: Root, inputs: EvaluationInputs, kind: Kind, pairs: Sequence[EvaluationPair], several: Sequence[int] = ()
) -> list[MeasuredPair]:
    """The pairs in their order, those with further photos also from `several` of them; runs in a worker process."""
    detector, pictures = (
        load_detector(detector_of(root, inputs.sets[0])),
        make_pictures(root, inputs, kind, pairs, several),
    )
    from_several = [SOURCES_OF.format(count) for count in several]
    out: list[MeasuredPair] = []
    for n, pair in enumerate(pairs):
        left_out = () if pair.others else from_several
        images = {method: results[n] for method, results in pictures.results.items() if method not in left_out}
        seen = _see(detector, images, pictures.source_points[n])
        person = pictures.targets[n] if kind == "same" else images[COPY]
        task = _task(pictures, pair, n, seen[COPY], second_look(inputs.embedder, person))
        methods = {
            method: _same(detector, image, seen[method], task) if kind == "same" else _cross(image, seen[method], task)
            for method, image in images.items()
        }
        if kind == "cross" and pair.photo:
            methods[PHOTO] = Measured(_identity(_embedding(pictures, pair.photo), task))
        out.append(MeasuredPair(pair, pictures.asked_points[n], methods))
        tick()
    return out


def _see(
    detector: FaceDetector, images: Mapping[str, UInt8[np.ndarray, "side side 3"]], source: Float[np.ndarray, "68 2"]
) -> dict[str, _Seen | None]:
    """The face of each picture, looked for where the source's landmarks are first, as the judge does it."""
    pictures = list(images.values())
    found = look_each(detector, pictures, [to_px(source, len(image)).astype(np.float64) for image in pictures])
    faces = [(image, face) for image, face in zip(pictures, found, strict=True) if face is not None]
    embeddings = iter(embed_each(detector, [image for image, _ in faces], [face for _, face in faces]))
    seen: dict[str, _Seen | None] = {}
    for (method, image), face in zip(images.items(), found, strict=True):
        points = None if face is None else from_px(to_common(face.landmarks_xy, face.scheme), len(image))
        seen[method] = None if points is None else _Seen(points, next(embeddings))
    return seen


def _task(pictures: Pictures, pair: EvaluationPair, n: int, copy: _Seen | None, second: SecondLook | None) -> _Task:
    own = pictures.source_points[n]
    return _Task(
        pictures.targets[n],
        own,
        copy.points if copy else own,
        pictures.asked_points[n],
        _embedding(pictures, pair.source),
        _embedding(pictures, pair.target),
        second,
    )


def _embedding(pictures: Pictures, face_id: str) -> Float[np.ndarray, " d"]:
    return embedding_of(pictures.faces[face_id])


def _same(detector: FaceDetector, image: UInt8[np.ndarray, "side side 3"], seen: _Seen | None, task: _Task) -> Measured:
    """Against the target photo."""
    pair = image[None] / 255, task.photo[None] / 255
    points = torch.from_numpy(task.asked_points[None]).float()
    values = {"l1": l1(*pair)[0], "psnr": psnr(*pair)[0], "ssim": ssim(*pair)[0], "found": float(seen is not None)}
    values |= sharpness_values(image, task.photo) | _other_similarity(image, task)
    for name, region in _REGIONS.items():
        values[name] = masked_l1(*pair, region_mask(points, len(image), region).numpy()[:, 0] > 0)[0]
    if seen is None:
        return Measured(_floats(values))
    values["nme"] = landmark_error(seen.points, "ibug68", task.asked_points, "ibug68")
    values["identity_similarity"] = detector.similarity(seen.embedding, task.target_embedding)
    values["identity_distance"] = np.linalg.norm(seen.embedding - task.target_embedding)
    return Measured(_floats(values), seen.points)


def _cross(image: UInt8[np.ndarray, "side side 3"], seen: _Seen | None, task: _Task) -> Measured:
    """Against what was asked; the driver's photo shows another person."""
    other = _other_similarity(image, task)
    if seen is None:
        return Measured({"found": 0.0, **other})
    error = landmark_error(seen.points, "ibug68", task.asked_points, "ibug68")
    values = {"nme": error, "found": 1.0, **_identity(seen.embedding, task), **other}
    own, asked = _openings(task.source_points), _openings(task.asked_points)
    before, after = _openings(task.copy_points), _openings(seen.points)
    for part in own:
        values |= {f"{part}_asked": asked[part] - own[part], f"{part}_change": after[part] - before[part]}
    return Measured(values, seen.points)


def _other_similarity(image: UInt8[np.ndarray, "side side 3"], task: _Task) -> dict[str, float]:
    """By the second embedder, where there is one and it finds a face."""
    found = None if task.second is None else task.second.similarity(image)
    return {} if found is None else {"other_similarity": found}


def _identity(embedding: Float[np.ndarray, " d"], task: _Task) -> dict[str, float]:
    """Whose face it is: Euclidean distances of the embedding to the source's and the driver's, and which is less."""
    source, driver = (np.linalg.norm(embedding - other) for other in (task.source_embedding, task.target_embedding))
    return _floats({"identity_distance": source, "driver_distance": driver, "leak": float(driver < source)})


def _openings(points: Float[np.ndarray, "68 2"]) -> dict[str, float]:
    return {"mouth": mouth_opening(points, "ibug68"), "eyes": float(np.mean(eye_opening(points, "ibug68")))}


def _floats(values: dict[str, np.floating | np.ndarray | float | bool]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
