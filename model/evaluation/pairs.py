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
    rows = [np.flatnonzero(identities == person) for person in np.unique(identities)]
    people = [of_one for of_one in rows if len(of_one) >= 2]
    if not people:
        raise ModelError("no person has two photos: training needs several photos of each person, a folder per person")
    return people


def same_person_pairs(
    identities: Int[np.ndarray, " faces"], count: int, seed: int
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Rows of sources and of targets: `count` fixed pairs that take turns over the people, for measuring."""
    random, people = np.random.default_rng(seed), usable_people(identities)
    rows = [random.choice(people[n % len(people)], 2, replace=False) for n in range(count)]
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
