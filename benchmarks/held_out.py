"""Quick measures of a generator on people it was not trained on, for benchmarks that compare many short trainings."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mien.model.detection.detector import FaceDetector
from mien.model.evaluation import metrics
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.images.tensors import to_uint8
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.schemes import to_common
from mien.model.networks.generator import Generator
from mien.model.quality.judge import landmark_error
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.pools import TargetExpressions
from mien.model.training.validation import PAIRS_SEED, draw, draw_targets
from mien.model.warping.masks import Region, region_mask

PIXELS = ("l1", "mouth_l1", "eye_l1", "ssim")
SEEN = ("nme", "identity_distance", "cross_nme", "cross_identity_distance")
MEASURES = PIXELS + SEEN

_REGIONS: dict[str, Region] = {"mouth_l1": "mouth", "eye_l1": "eyes"}

Photos = UInt8[np.ndarray, "batch side side 3"]
Rows = Int[np.ndarray, " rows"]
Embeddings = Float[np.ndarray, "rows d"]


class HeldOut:
    """Pairs of held-out people, and what each result is held against; always the same pairs for the same faces."""

    def __init__(self, faces: FaceArrays, detector: FaceDetector, pairs: int, cross_pairs: int) -> None:
        """`pairs` of one person, `cross_pairs` of two."""
        self._faces, self._detector = faces, detector
        self._sources, self._targets = same_person_pairs(faces.identities, pairs, PAIRS_SEED)
        self._cross_sources, self._drivers = cross_pairs_of(faces.identities, cross_pairs)
        self._asked = TargetExpressions(faces).keypoints(self._cross_sources, self._drivers)
        self._target_embeddings = self._look(self._photos(self._targets))[1]
        self._source_embeddings = self._look(self._photos(self._cross_sources))[1]

    def measure(self, generator: Generator) -> dict[str, float]:
        """Means of `MEASURES`; where no face is found on a picture it counts for its pixels alone."""
        drawn = to_uint8(draw(generator, self._faces, self._sources, self._targets))
        wanted = self._faces.points[self._targets]
        pixels = measured_pixels(drawn, self._photos(self._targets), torch.from_numpy(wanted))
        cross = to_uint8(draw_targets(generator, self._faces, self._cross_sources, self._asked))
        same_seen = self._held_against(drawn, wanted, self._target_embeddings)
        cross_seen = self._held_against(cross, self._asked.points.numpy(), self._source_embeddings)
        return pixels | dict(zip(SEEN, (*same_seen, *cross_seen), strict=True))

    def _held_against(
        self, drawn: Photos, asked: Float[np.ndarray, "batch 68 2"], people: Embeddings
    ) -> tuple[float, float]:
        """Mean error of the landmarks, and mean distance of the embeddings, of what is found."""
        points, embeddings = self._look(drawn)
        seen = ~np.isnan(points).any((1, 2)) & ~np.isnan(people).any(1)
        errors = [landmark_error(points[n], "ibug68", asked[n], "ibug68") for n in np.flatnonzero(seen)]
        return float(np.mean(errors)), float(np.linalg.norm(embeddings[seen] - people[seen], axis=1).mean())

    def _look(self, images: Photos) -> tuple[Float[np.ndarray, "batch 68 2"], Embeddings]:
        """Landmarks in [-1, 1] and embedding of the largest face of each picture; NaN where there is none."""
        seen = [self._see(image) for image in images]
        size = next((len(its[1]) for its in seen if its is not None), 1)
        nothing = np.full((68, 2), np.nan), np.full(size, np.nan)
        found = [its or nothing for its in seen]
        return np.stack([its[0] for its in found]), np.stack([its[1] for its in found])

    def _see(self, image: UInt8[np.ndarray, "side side 3"]) -> tuple[np.ndarray, np.ndarray] | None:
        face = self._detector.find(image)[:1]
        if not face:
            return None
        points = from_px(to_common(face[0].landmarks_xy, face[0].scheme), len(image))
        return points, self._detector.embed(image, face)[0]

    def _photos(self, rows: Rows) -> Photos:
        return self._faces.images[rows].transpose(0, 2, 3, 1)


def cross_pairs_of(identities: Int[np.ndarray, " faces"], count: int) -> tuple[Rows, Rows]:
    """Rows of sources and of drivers: `count` fixed pairs of two people that take turns over the sources' people."""
    random, people = np.random.default_rng(PAIRS_SEED), np.unique(identities)
    source = np.array([random.choice(np.flatnonzero(identities == people[n % len(people)])) for n in range(count)])
    driver = np.array([random.choice(np.flatnonzero(identities != identities[row])) for row in source])
    return source, driver


def measured_pixels(drawn: Photos, photos: Photos, points: Float[Tensor, "batch 68 2"]) -> dict[str, float]:
    """Means of `PIXELS` over images in 0..1; points are the photos' landmarks in [-1, 1]."""
    made, real = drawn / 255, photos / 255
    values = {"l1": metrics.l1(made, real), "ssim": metrics.ssim(made, real)}
    for name, region in _REGIONS.items():
        masks = region_mask(points, real.shape[1], region).numpy()[:, 0] > 0
        values[name] = metrics.masked_l1(made, real, masks)
    return {name: float(np.nanmean(value)) for name, value in values.items()}


def as_row(title: str, measured: dict[str, float]) -> str:
    """A row of a markdown table."""
    return f"| {title} | " + " | ".join(f"{measured[name]:.4f}" for name in MEASURES) + " |"
