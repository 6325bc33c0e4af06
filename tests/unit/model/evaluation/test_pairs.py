"""Which faces are measured with, where there are more than are needed."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.errors import ModelError
from mien.model.evaluation.pairs import same_person_pairs, thinned, usable_people


def _photos(people: int, each: int) -> np.ndarray:
    return np.repeat(np.arange(people), each)


def test_210_people_with_two_photos_keep_200_with_two() -> None:
    identities = _photos(210, 2)
    kept = identities[thinned(identities, 400)]
    assert len(kept) == 400
    assert (np.bincount(kept)[np.bincount(kept) > 0] == 2).all()
    sources, targets = same_person_pairs(kept, 64, seed=0)
    assert (kept[sources] == kept[targets]).all()


@pytest.mark.parametrize(
    ("people", "each"), [(1, 1000), (3, 1000), (40, 10), (41, 10), (150, 3), (201, 2), (399, 2), (1000, 7)]
)
def test_no_more_than_asked_and_each_person_who_stays_has_two(people: int, each: int) -> None:
    identities = _photos(people, each)
    rows = thinned(identities, 400)
    counts = np.bincount(identities[rows])
    assert len(rows) <= 400
    assert (np.diff(rows) > 0).all()
    assert (counts[counts > 0] >= 2).all()
    assert (counts > 0).sum() == min(people, 200)
    assert len(rows) > 400 - 2 * min(people, 200)  # the room is used


def test_people_with_one_photo_give_way_to_those_with_two() -> None:
    identities = np.concatenate([np.arange(1000), _photos(5, 2) + 2000])
    assert set(identities[thinned(identities, 400)]) == set(range(2000, 2005))


def test_photos_that_stay_are_spread_over_all_of_a_person() -> None:
    rows = thinned(_photos(1, 1000), 10)
    assert (rows[0], rows[-1], len(rows)) == (0, 999, 10)


def test_few_faces_stay_as_they_are_and_people_with_one_photo_stay_no_pairs() -> None:
    assert thinned(_photos(4, 3), 400).tolist() == list(range(12))
    alone = thinned(np.arange(500), 400)
    assert len(alone) == 400
    with pytest.raises(ModelError, match="no person has two photos"):
        usable_people(alone)
