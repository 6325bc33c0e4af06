"""The pairs of photos that `benchmarks.judged` makes faces of: always the same for the same photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.held_out import cross_pairs_of
from benchmarks.judged_measures import is_shut, openings
from benchmarks.making import Expression, Photo, Pictures, asked_landmarks, by_copy, own_expressions, retargeted
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.expression.shape_model import ShapeModel
from mien.model.training.validation import PAIRS_SEED

OPEN = 0.8
"""A photo shows open eyes where they are open this share of the person's usual opening."""
_TRIED = 20
"""Pairs looked at for each of two people with shut eyes."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """People and what is asked of each."""

    sources: list[tuple[Photo, ...]]
    """Photos of each person; the first is the one of today's generators, of one source."""
    drivers: list[Photo]
    expressions: list[Expression]
    one_person: bool
    """Whether the drivers' photos show what is to be made."""

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def firsts(self) -> list[Photo]:
        """The first source of each."""
        return [photos[0] for photos in self.sources]

    @property
    def grey(self) -> Pairs:
        """The same with sources without colour."""
        return replace(self, sources=[tuple(photo.grey for photo in photos) for photos in self.sources])

    @property
    def people(self) -> np.ndarray:
        """Numbers of the sources' people."""
        return np.unique([photo.person for photo in self.firsts], return_inverse=True)[1]

    def first(self, count: int) -> Pairs:
        """So many of them."""
        some = slice(count)
        return Pairs(self.sources[some], self.drivers[some], self.expressions[some], self.one_person)

    def photos(self, side_px: int) -> Pictures:
        """The drivers' photos."""
        return by_copy([(photo,) for photo in self.drivers], self.expressions, side_px)


def asked_eyes(source: Photo, expression: Expression) -> float:
    """How far an expression opens the eyes of the source's person."""
    asked = asked_landmarks(source, expression)
    return openings(asked.landmarks_xy, asked.scheme).eyes


def usual_eyes(photos: Sequence[Photo]) -> dict[str, float]:
    """How far each person's eyes are open, in the median of all photos of the person."""
    return {
        name: float(np.median([_eyes(photo) for photo in photos if photo.person == name]))
        for name in {photo.person for photo in photos}
    }


def pairs_of_one(photos: Sequence[Photo], count: int) -> Pairs:
    """Two photos of each person in turn."""
    sources, targets = same_person_pairs(_numbers(photos), count, PAIRS_SEED)
    return _of_one([photos[row] for row in sources], [photos[row] for row in targets])


def pairs_of_two(photos: Sequence[Photo], model: ShapeModel, count: int) -> Pairs:
    """A photo of each person in turn, and one of somebody else."""
    sources, drivers = cross_pairs_of(_numbers(photos), count)
    return _of_two([photos[row] for row in sources], [photos[row] for row in drivers], model)


def shut_eyes_of_one(photos: Sequence[Photo], usual: dict[str, float], count: int) -> Pairs:
    """Sources with open eyes, targets of the same person with shut ones; each target once, as many as there are."""
    random, chosen = np.random.default_rng(PAIRS_SEED), list[tuple[Photo, Photo]]()
    for target in random.permutation(np.array([n for n, photo in enumerate(photos) if _shut(photo, usual)], int)):
        own = [photo for photo in photos if photo.person == photos[target].person and _open(photo, usual)]
        if own:
            chosen.append((own[random.integers(len(own))], photos[target]))
    return _of_one(*_sides(chosen[:count]))


def shut_eyes_of_two(
    photos: Sequence[Photo], drivers: Sequence[Photo], model: ShapeModel, usual: dict[str, float], count: int
) -> Pairs:
    """Sources with open eyes, and shut eyes of other people that are asked of them; `drivers` may be of anybody."""
    random = np.random.default_rng(PAIRS_SEED)
    shown = [photo for photo in photos if _open(photo, usual)]
    shut = [photo for photo in drivers if _shut(photo, usual)]
    if not shown or not shut:
        return _of_two([], [], model)
    drawn = [(shown[random.integers(len(shown))], shut[random.integers(len(shut))]) for _ in range(_TRIED * count)]
    drawn = [(source, driver) for source, driver in drawn if source.person != driver.person]
    kept = list(_asking_for_shut(drawn, model, usual))[:count]
    return _of_two(*_sides(kept), model)


def _asking_for_shut(
    drawn: Sequence[tuple[Photo, Photo]], model: ShapeModel, usual: dict[str, float]
) -> Iterator[tuple[Photo, Photo]]:
    """Of the pairs those whose retargeted expression shuts the source's eyes."""
    expressions = retargeted(*_sides(drawn), model) if drawn else []
    for pair, expression in zip(drawn, expressions, strict=True):
        if is_shut(asked_eyes(pair[0], expression), usual[pair[0].person]):
            yield pair


def _of_one(sources: list[Photo], targets: list[Photo]) -> Pairs:
    return Pairs([(photo,) for photo in sources], targets, own_expressions(targets), one_person=True)


def _of_two(sources: list[Photo], drivers: list[Photo], model: ShapeModel) -> Pairs:
    expressions = retargeted(sources, drivers, model) if sources else []
    return Pairs([(photo,) for photo in sources], drivers, expressions, one_person=False)


def _sides(pairs: Sequence[tuple[Photo, Photo]]) -> tuple[list[Photo], list[Photo]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def _numbers(photos: Sequence[Photo]) -> np.ndarray:
    return np.unique([photo.person for photo in photos], return_inverse=True)[1]


def _eyes(photo: Photo) -> float:
    return openings(photo.keypoints.landmarks_xy, photo.keypoints.scheme).eyes


def _shut(photo: Photo, usual: dict[str, float]) -> bool:
    return is_shut(_eyes(photo), usual[photo.person])


def _open(photo: Photo, usual: dict[str, float]) -> bool:
    return _eyes(photo) > OPEN * usual[photo.person]
