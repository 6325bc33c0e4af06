"""Batches of pairs, drawn from the faces in memory."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.model.device import on_device
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Sources
from mien.model.training.augmentation import Changes, draw_changes
from mien.model.training.face_arrays import FaceArrays, keypoints_on
from mien.model.training.face_stream import TrainingFaces, fitted_shapes
from mien.model.training.pools import Pool, TargetExpressions
from mien.model.training.settings import AugmentationSettings, TrainSettings
from mien.model.training.windows import Windows

UpdateKind = Literal["pretrain", "train"]
_KINDS: tuple[UpdateKind, ...] = get_args(UpdateKind)


class Origin(NamedTuple):
    """What the pairs of a batch were drawn from."""

    photos: Int[np.ndarray, " batch"]
    """Rows of the photos that the discriminators take for real: the targets, or the sources where there are none."""
    sources: Int[np.ndarray, "batch sources"]
    """Rows of their sources; the first one fills up."""
    changes: Changes
    """Of the pairs, by augmentation."""


_LEAST_SPREAD = 1e-3
"""Of the landmarks of a face, a standard deviation: no spline goes through points that coincide."""


def _usable(*points: np.ndarray) -> bool:
    """Whether all are numbers, and no face is a point. It is asked before they go to a device, which would wait."""
    return all(bool((of_all.std(-2).min(-1) > _LEAST_SPREAD).all()) for of_all in points)  # not where it is no number


class PairBatch(NamedTuple):
    """Photos of one person each, of which one is the target; the people of a batch differ if there are enough."""

    sources: Sources
    """I_s, one or several, none of them the target."""
    target: Float[Tensor, "batch 3 size size"]
    """I_t in [-1, 1]."""
    target_keypoints: KeypointInfo
    identities: Int[Tensor, " batch"]
    origin: Origin
    has_landmarks: bool
    """Whether all landmarks are numbers: torch's samplers crash on a flow of others."""


class CrossBatch(NamedTuple):
    """Photos of people, and for each the expression of another person, retargeted. No photo shows the result."""

    sources: Sources
    """I_s, one or several."""
    target_keypoints: KeypointInfo
    identities: Int[Tensor, " batch"]
    """Of the sources."""
    origin: Origin
    has_landmarks: bool
    """Whether all landmarks are numbers: torch's samplers crash on a flow of others."""


class PairSampler:
    """Draws batches of pairs; its random generator is the only one of a training.

    What is drawn for an update follows from the seed and the update alone (`begin`), not from what was drawn before. So
    a training that goes on, with as many processes or others, draws what it would have drawn, and keeps no state.
    """

    def __init__(
        self, faces: FaceArrays | Windows, augmentation: AugmentationSettings, seed: int, candidates: int = 1
    ) -> None:
        """Of `candidates` pairs the one whose landmarks move most is taken: pairs that hardly differ teach little.

        Raises:
            ModelError: there are not two people with two photos each.
        """
        self.augmentation, self.candidates = augmentation, candidates
        self.random, self._seed = np.random.default_rng(seed), seed
        self._windows = None if isinstance(faces, FaceArrays) else faces
        self.shape_model = fitted_shapes(faces, seed) if isinstance(faces, FaceArrays) else faces.shape_model
        """Of the faces: the one that a generator trained on them keeps for its transfers."""
        if isinstance(faces, FaceArrays):
            self._draw_from(Pool.of(faces, TargetExpressions(faces, self.shape_model)))

    @staticmethod
    def of(settings: TrainSettings, faces: TrainingFaces, processes: int) -> PairSampler:
        """That of a training of so many processes.

        Raises:
            ModelError: there are not two people with two photos each, or there is too little room for them.
        """
        given = faces if isinstance(faces, FaceArrays) else Windows(faces, settings, processes)
        return PairSampler(given, settings.augmentation, settings.seed, settings.pair_candidates)

    def _draw_from(self, pool: Pool) -> None:
        self._pool, self.faces = pool, pool.faces
        self._people, self._share, self._targets = pool.people, pool.share, pool.targets

    def begin(self, kind: UpdateKind, update: int, part: int | None = None) -> None:
        """What is drawn next is that of an update: of one part of its batch, or what all parts have in common.

        Raises:
            Exception: faces that come into memory for it cannot be read; of the kind that reading them raises.
        """
        drawn_for = (_KINDS.index(kind), update, 0 if part is None else 1 + part)
        self.random = np.random.default_rng([self._seed, *drawn_for])
        if self._windows is not None and part is not None:
            # Discriminators begin with the faces that the generator begins with: a few hundred updates hardly use them.
            self._draw_from(self._windows.at(update if kind == "train" else 0, part))

    def photos_of(self, person: int) -> Int[np.ndarray, " rows"]:
        """Rows of a person who is among the people that pairs are drawn from."""
        return self._pool.rows_of[person]

    def source_count(self, most: int) -> int:
        """How many sources the next pairs have: one in every other batch, else evenly 2 to `most`."""
        if most == 1 or self.random.random() < 0.5:
            return 1
        return int(self.random.integers(2, most + 1))

    def draw(self, count: int, device: torch.device | str, sources: int = 1) -> PairBatch:
        """The next `count` pairs with so many sources each, augmented; fewer where the person has no more photos."""
        people = self._draw_people(count * self.candidates)
        rows = np.array([self.random.choice(self._people[n], 2, replace=False) for n in people])
        moved = np.linalg.norm(self.faces.points[rows[:, 0]] - self.faces.points[rows[:, 1]], axis=-1).mean(-1)
        chosen = np.arange(count), moved.reshape(count, self.candidates).argmax(1)
        source, target = rows.reshape(count, self.candidates, 2)[chosen].T
        named, present = self._with_others(people.reshape(count, -1)[chosen], source, target, sources)
        changes = draw_changes(self.augmentation, count, self.random, device)
        return PairBatch(
            changes.sources(self.faces.sources(named, device, present)),
            changes.photos(self.faces.photos(target, device)),
            changes.keypoints(self.faces.keypoints(target, device)),
            on_device(self.faces.identities[source].astype(np.int64), device),
            Origin(target, named, changes),
            _usable(self.faces.points[named], self.faces.points[target]),
        )

    def draw_cross(self, count: int, device: torch.device | str, sources: int = 1) -> CrossBatch:
        """The next `count` cross-person pairs, augmented; heads turn as the driver's do."""
        people = self._draw_people(2 * count)
        self._part_from_drivers(people[:count], people[count:])
        rows = np.array([self.random.choice(self._people[n]) for n in people])
        source, driver = rows[:count], rows[count:]
        asked = self._targets.arrays(source, driver)
        named, present = self._with_others(people[:count], source, source, sources)
        changes = draw_changes(self.augmentation, count, self.random, device)
        return CrossBatch(
            changes.sources(self.faces.sources(named, device, present)),
            changes.keypoints(keypoints_on(device, *asked)),
            on_device(self.faces.identities[source].astype(np.int64), device),
            Origin(source, named, changes),
            _usable(self.faces.points[named], asked[1]),
        )

    def _with_others(
        self,
        people: Int[np.ndarray, " rows"],
        source: Int[np.ndarray, " rows"],
        target: Int[np.ndarray, " rows"],
        count: int,
    ) -> tuple[Int[np.ndarray, "rows sources"], Bool[np.ndarray, "rows sources"]]:
        """`count` photos of the person of each row, the source first and never the target, and which of them are there:
        where a person has fewer, the source fills up."""
        rows, present = np.repeat(source[:, None], count, 1), np.zeros((len(source), count), bool)
        present[:, 0] = True
        if count > 1:
            for row, person in enumerate(people):
                others = np.setdiff1d(self._people[person], (source[row], target[row]))
                drawn = self.random.permutation(others)[: count - 1]
                rows[row, 1 : 1 + len(drawn)], present[row, 1 : 1 + len(drawn)] = drawn, True
        return rows, present

    def _part_from_drivers(self, people: Int[np.ndarray, " batch"], drivers: Int[np.ndarray, " batch"]) -> None:
        """Draws other drivers, by their shares, where the driver is the person."""
        for n in np.flatnonzero(people == drivers):
            others = np.where(np.arange(len(self._people)) == people[n], 0, self._share)
            drivers[n] = self.random.choice(len(self._people), p=others / others.sum())

    def _draw_people(self, count: int) -> Int[np.ndarray, " batch"]:
        """By their shares; no person is drawn twice before all have been drawn once."""
        rounds: list[np.ndarray] = []
        left = count
        while left > 0:
            rounds.append(
                self.random.choice(len(self._people), min(left, len(self._people)), replace=False, p=self._share)
            )
            left -= len(rounds[-1])
        return np.concatenate(rounds)
