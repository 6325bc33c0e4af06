"""Pairs of photos to measure with, drawn by person."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from mien.model.errors import ModelError


def usable_people(identities: Int[np.ndarray, " faces"]) -> list[Int[np.ndarray, " rows"]]:
    """The rows of each person who has at least two faces.

    Raises:
        ModelError: nobody has two.
    """
    order = np.argsort(identities, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(identities[order])) + 1)
    people = [of_one for of_one in rows if len(of_one) >= 2]
    if not people:
        raise ModelError("no person has two photos: training needs several photos of each person, a folder per person")
    return people


def thinned(identities: Int[np.ndarray, " faces"], max_faces: int) -> Int[np.ndarray, " rows"]:
    """Rows of at most so many faces, in their order: fewer people first, then fewer photos of each.

    Pairs of one person need two photos: no person is left with one of several. People with one photo come in only
    where nobody has two, since nothing could be measured with them.
    """
    if len(identities) <= max_faces:
        return np.arange(len(identities))
    rows = [np.flatnonzero(identities == person) for person in np.unique(identities)]
    several = [of_one for of_one in rows if len(of_one) >= 2]
    if not several:
        return _evenly(np.arange(len(identities)), max_faces)
    people = [several[n] for n in _evenly(np.arange(len(several)), max(max_faces // 2, 1)).tolist()]
    most, each = max(map(len, people)), 2
    while each < most and sum(min(len(of_one), each + 1) for of_one in people) <= max_faces:
        each += 1
    return np.sort(np.concatenate([_evenly(of_one, each) for of_one in people]))


def _evenly(rows: Int[np.ndarray, " rows"], count: int) -> Int[np.ndarray, " kept"]:
    """So many of the rows, from the first to the last; all where there are no more."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


def same_person_pairs(
    identities: Int[np.ndarray, " faces"], count: int, seed: int
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Rows of sources and of targets: `count` fixed pairs that take turns over the people, for measuring."""
    random, people = np.random.default_rng(seed), usable_people(identities)
    rows = [random.choice(people[n % len(people)], 2, replace=False) for n in range(count)]
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
