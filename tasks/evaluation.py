"""Evaluation: a generator on same-person pairs of held-out people, beside copying the source.

For two photos of one person the right answer is known: the source with the target's expression is the target photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from model.faces import FaceDetector, load_detector
from model.images import decode_rgb, resize_rgb
from model.judging import landmark_error
from model.metrics import l1, psnr, ssim
from model.pairs import same_person_pairs
from storage import Root
from tasks.errors import UsageError
from tasks.faces import FaceTables, crop_size_px, detector_of, read_faces, usable_faces
from tasks.generation import generate_pairs
from tasks.models import load_model
from tasks.pool import in_worker, tick, work_progress, worker_pool

HELD_OUT = ("val", "test")
METHODS = ("generated", "copy")
CHUNK = 16


@dataclass(frozen=True)
class EvaluationSettings:
    """Which pairs are measured."""

    pairs: int = 100
    """For each split, in turns over its people."""
    seed: int = 0


@dataclass(frozen=True)
class Measures:
    """Of one image against the target photo, or means of many. NaN where no face was found."""

    l1: float
    """Mean absolute difference, images in 0..1; lower is better."""
    psnr: float
    """dB; higher is better."""
    ssim: float
    """Higher is better."""
    nme: float
    """Landmarks found on the image against the target's, inter-ocular; lower is better."""
    identity_similarity: float
    """To the target photo, by the embedding; higher is better."""
    found: float
    """Share of images on which the detector finds a face."""


@dataclass(frozen=True)
class Evaluation:
    """Means over the pairs, by split and method."""

    means: dict[str, dict[str, Measures]]
    pairs: dict[str, int]
    people: dict[str, int]

    def metrics(self) -> dict[str, float]:
        """Flat names for MLflow: `val.generated.l1`."""
        return {
            f"{split}.{method}.{field.name}": getattr(measures, field.name)
            for split, methods in self.means.items()
            for method, measures in methods.items()
            for field in fields(Measures)
        }


@dataclass(frozen=True)
class EvaluationPair:
    """Two faces of one person."""

    source: str
    target: str


def evaluate(
    root: Root,
    sha256: str,
    sets: Sequence[FaceTables],
    settings: EvaluationSettings = EvaluationSettings(),  # frozen
    workers: int | None = None,
) -> Evaluation:
    """Measures the generator with these weights on the held-out people of the sets.

    Raises:
        UsageError: nobody is held out, or no held-out person has two usable photos.
    """
    planned = {split: _pairs(root, sets, split, settings) for split in HELD_OUT}
    if not any(pairs for pairs, _ in planned.values()):
        raise UsageError("no held-out person has two usable photos: add people, or raise --val-fraction in prepare")
    means: dict[str, dict[str, Measures]] = {}
    total = sum(len(pairs) for pairs, _ in planned.values())
    with worker_pool(workers), work_progress("evaluate", total, "pairs"):
        for split, (pairs, _) in planned.items():
            if pairs:
                means[split] = _means(_measure_all(root, sha256, tuple(sets), pairs))
    return Evaluation(means, {s: len(p) for s, (p, _) in planned.items()}, {s: n for s, (_, n) in planned.items()})


def _pairs(
    root: Root, sets: Sequence[FaceTables], split: str, settings: EvaluationSettings
) -> tuple[list[EvaluationPair], int]:
    """The pairs of a split, and of how many people they are."""
    rows = [
        r for r in usable_faces(root, sets, ["face_id", "identity", "split"]) if r["split"] == split and r["identity"]
    ]
    people = {name: number for number, name in enumerate(sorted({row["identity"] for row in rows}))}
    identities = np.array([people[row["identity"]] for row in rows], np.int64)
    several = np.flatnonzero(np.bincount(identities, minlength=1) >= 2) if len(rows) else []
    if not len(several):
        return [], 0
    sources, targets = same_person_pairs(identities, settings.pairs, settings.seed)
    pairs = [EvaluationPair(rows[s]["face_id"], rows[t]["face_id"]) for s, t in zip(sources, targets, strict=True)]
    return list(dict.fromkeys(pairs)), len(several)


def _measure_all(
    root: Root, sha256: str, sets: tuple[FaceTables, ...], pairs: list[EvaluationPair]
) -> list[dict[str, Measures]]:
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    with ThreadPoolExecutor() as threads:
        done = threads.map(lambda chunk: in_worker(_measure_chunk, root, sha256, sets, chunk), chunks)
        return [measured for chunk in done for measured in chunk]


def _measure_chunk(
    root: Root, sha256: str, sets: tuple[FaceTables, ...], pairs: list[EvaluationPair]
) -> list[dict[str, Measures]]:
    """Measures by method for each pair; runs in a worker process."""
    ids = {face_id for pair in pairs for face_id in (pair.source, pair.target)}
    faces = read_faces(root, sets, ids, ["crop", "landmarks_xy", "landmark_scheme", "embedding"])
    side_px = crop_size_px(root, sets[0])
    generator, detector = load_model(root, sha256), load_detector(detector_of(root, sets[0]))
    out: list[dict[str, Measures]] = []
    generated = generate_pairs(generator, [(faces[p.source], faces[p.target]) for p in pairs], side_px)
    for pair, image in zip(pairs, generated, strict=True):
        source, photo = (
            resize_rgb(decode_rgb(faces[face]["crop"]), image.shape[0]) for face in (pair.source, pair.target)
        )
        images = {"generated": image, "copy": source}
        out.append(
            {method: _measure(detector, images[method], photo, faces[pair.target], side_px) for method in METHODS}
        )
        tick()
    return out


def _measure(
    detector: FaceDetector, image: np.ndarray, photo: np.ndarray, target: dict[str, Any], crop_side_px: int
) -> Measures:
    pair = image[None] / 255, photo[None] / 255
    pixels = {"l1": l1(*pair)[0], "psnr": psnr(*pair)[0], "ssim": ssim(*pair)[0]}
    found = detector.find(image)
    if not found:
        return Measures(**pixels, nme=np.nan, identity_similarity=np.nan, found=0.0)
    asked = np.asarray(target["landmarks_xy"], np.float32).reshape(-1, 2) * (image.shape[0] / crop_side_px)
    error = landmark_error(found[0].landmarks_xy, found[0].scheme, asked, target["landmark_scheme"])
    embedding = detector.embed(image, found[:1])[0]
    alike = detector.similarity(embedding, np.asarray(target["embedding"], np.float32))
    return Measures(**pixels, nme=error, identity_similarity=float(alike), found=1.0)


def _means(measured: list[dict[str, Measures]]) -> dict[str, Measures]:
    return {method: _mean([row[method] for row in measured]) for method in METHODS}


def _mean(rows: list[Measures]) -> Measures:
    """Mean of each measure over the images that have it."""
    columns = {
        field.name: np.array([getattr(row, field.name) for row in rows], np.float64) for field in fields(Measures)
    }
    return Measures(**{name: float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for name, v in columns.items()})


def as_table(evaluation: Evaluation) -> str:
    """The means as a markdown table, which reads well in a terminal too."""
    names = [field.name for field in fields(Measures)]
    titles = [name.replace("identity_similarity", "identity") for name in names]
    lines = [f"| {'held-out people':<27} |" + "".join(f" {t:>8} |" for t in titles), "|---" * (len(names) + 1) + "|"]
    for split, methods in evaluation.means.items():
        for method, measures in methods.items():
            title = f"{split}, {evaluation.people[split]} people, {method}"
            lines.append(f"| {title:<27} |" + "".join(f" {getattr(measures, name):>8.4f} |" for name in names))
    return "\n".join(lines)
