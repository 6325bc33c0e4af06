"""Training faces in memory and the pairs drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mien.model.device import on_device
from mien.model.errors import ModelError
from mien.model.evaluation.pairs import usable_people
from mien.model.expression.dense_landmarks import asked_landmarks
from mien.model.expression.retargeting import Faces, RetargetSettings, neutrals_by_person, retarget
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.tensors import from_uint8
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.keypoints import KeypointInfo, heatmaps_to_float
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.networks.base import Sources
from mien.model.training.augmentation import Changes, draw_changes
from mien.model.training.settings import AugmentationSettings

UpdateKind = Literal["pretrain", "train"]
_KINDS: tuple[UpdateKind, ...] = get_args(UpdateKind)


def keypoints_on(
    device: torch.device | str,
    heatmaps: UInt8[np.ndarray, "rows parts side side"],
    points: Float[np.ndarray, "rows 68 2"],
) -> KeypointInfo:
    """Keypoints as the networks take them, on a device."""
    return KeypointInfo(heatmaps_to_float(on_device(heatmaps, device)), on_device(points.astype(np.float32), device))


@dataclass(frozen=True)
class FaceArrays:
    """Aligned faces of several people, row by row. About 80 kB per face at 128 px."""

    images: UInt8[np.ndarray, "faces 3 size size"]
    heatmaps: UInt8[np.ndarray, "faces parts side side"]
    points: Float[np.ndarray, "faces 68 2"]
    """The 68 common landmarks in [-1, 1] over the crop."""
    identities: Int[np.ndarray, " faces"]
    """A number per person."""
    sets: Int[np.ndarray, " faces"] | None = None
    """A number per set that the faces come from; None if they are of one."""
    spec: HeatmapSpec = field(default_factory=HeatmapSpec)
    """Of the heatmaps."""
    scheme: LandmarkScheme = "ibug68"
    """Of the landmarks that the heatmaps were drawn from."""
    dense: Float[np.ndarray, "faces landmarks 2"] | None = None
    """These landmarks, in [-1, 1] over the crop, where they are more than the common ones."""

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def side_px(self) -> int:
        """Of the images."""
        return self.images.shape[-1]

    @property
    def landmarks(self) -> Float[np.ndarray, "faces landmarks 2"]:
        """What the heatmaps were drawn from, in [-1, 1] over the crop."""
        return self.points if self.dense is None else self.dense

    def keypoints(self, rows: Int[np.ndarray, " rows"], device: torch.device | str = "cpu") -> KeypointInfo:
        """L of the given rows."""
        return keypoints_on(device, self.heatmaps[rows], self.points[rows])

    @classmethod
    def joined(cls, parts: Sequence[FaceArrays]) -> FaceArrays:
        """Faces of different people as one set, the people numbered on."""
        parts = [part for part in parts if len(part)]
        starts = np.cumsum([0, *(part.identities.max() + 1 for part in parts)])
        return cls(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.heatmaps for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.identities + start for part, start in zip(parts, starts, strict=False)]),
            spec=parts[0].spec,
            scheme=parts[0].scheme,
            dense=None if parts[0].dense is None else np.concatenate([part.landmarks for part in parts]),
        )

    def photos(self, rows: Int[np.ndarray, " rows"], device: torch.device | str = "cpu") -> Float[Tensor, "rows 3 s s"]:
        """I of the given rows, in [-1, 1]."""
        return from_uint8(on_device(self.images[rows], device))

    def sources(
        self,
        rows: Int[np.ndarray, " rows"] | Int[np.ndarray, "rows sources"],
        device: torch.device | str = "cpu",
        present: Bool[np.ndarray, "rows sources"] | None = None,
    ) -> Sources:
        """The photos of the given rows as sources: one of each row, or several of which some may only fill up."""
        columns = list(rows.reshape(len(rows), -1).T)
        there = None if present is None else on_device(present, device)
        photos = [self.photos(column, device) for column in columns]
        return Sources.stacked(photos, [self.keypoints(column, device) for column in columns], there)


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


def _shares(faces: FaceArrays, people: list[Int[np.ndarray, " rows"]]) -> Float[np.ndarray, " people"]:
    """How often each person is drawn: each set as often as any other, and in it each photo.

    So thousands of frames of a few videos do not drown the photos of another set.
    """
    sizes = np.array([len(rows) for rows in people], np.float64)
    sets = np.zeros(len(people), np.int64) if faces.sets is None else faces.sets[[rows[0] for rows in people]]
    shares = sizes / np.bincount(sets, sizes)[sets]
    return shares / shares.sum()


class TargetExpressions:
    """Target keypoints with another person's expression: the driver's, retargeted; the head turns as the driver's."""

    def __init__(self, faces: FaceArrays, model: ShapeModel | None = None) -> None:
        """With a shape model neutrals are found and heads are turned as in transfers of the generator that has it."""
        _, self._person_of = np.unique(faces.identities, return_inverse=True)
        self._of, self._model = faces, model
        self._neutrals = neutrals_by_person(faces.points, self._person_of, model)

    def keypoints(
        self, source: Int[np.ndarray, " rows"], driver: Int[np.ndarray, " rows"], device: torch.device | str = "cpu"
    ) -> KeypointInfo:
        """The keypoints of the expression of each driver on the face of the source in the same row."""
        return keypoints_on(device, *self.arrays(source, driver))

    def arrays(
        self, source: Int[np.ndarray, " rows"], driver: Int[np.ndarray, " rows"]
    ) -> tuple[UInt8[np.ndarray, "rows parts side side"], Float[np.ndarray, "rows 68 2"]]:
        """Their heatmaps and common landmarks."""
        points = retarget(self._faces(source), self._faces(driver), RetargetSettings(), self._model)
        shown, expressed = (self._of.landmarks[rows].astype(np.float64) for rows in (source, driver))
        landmarks = asked_landmarks(shown, expressed, self._of.scheme, points)
        spec = self._of.spec
        return render_heatmaps(to_px(landmarks, spec.size_px), self._of.scheme, spec.size_px, spec), points

    def _faces(self, rows: Int[np.ndarray, " rows"]) -> Faces:
        return Faces(self._of.points[rows], self._neutrals[self._person_of[rows]])


class PairSampler:
    """Draws batches of pairs; its random generator is the only one of a training.

    What is drawn for an update follows from the seed and the update alone (`begin`), not from what was drawn before. So
    a training that goes on, with as many processes or others, draws what it would have drawn, and keeps no state.
    """

    def __init__(self, faces: FaceArrays, augmentation: AugmentationSettings, seed: int, candidates: int = 1) -> None:
        """Of `candidates` pairs the one whose landmarks move most is taken: pairs that hardly differ teach little."""
        self.faces, self.augmentation, self.candidates = faces, augmentation, candidates
        self.random, self._seed = np.random.default_rng(seed), seed
        self._people = usable_people(faces.identities)
        if len(self._people) < 2:
            raise ModelError("training compares people: it needs several photos each of at least two")
        self._share = _shares(faces, self._people)
        self.shape_model = ShapeModel.fit(faces.points.astype(np.float64), faces.identities)
        """Of the faces: the one that a generator trained on them keeps for its transfers."""
        self._targets = TargetExpressions(faces, self.shape_model)

    def begin(self, kind: UpdateKind, update: int, part: int | None = None) -> None:
        """What is drawn next is that of an update: of one part of its batch, or what all parts have in common."""
        drawn_for = (_KINDS.index(kind), update, 0 if part is None else 1 + part)
        self.random = np.random.default_rng([self._seed, *drawn_for])

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
