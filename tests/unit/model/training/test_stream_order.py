"""Faces come in chunks of several people, each as often as any other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mien.model.training.stream_order import LEAST_CHUNK, Order, chunks_of, evenly_filled, sample_rows, several_photos


def people(*photos: int) -> np.ndarray:
    return np.repeat(np.arange(len(photos)), photos)


def test_room_goes_evenly_to_sets_and_what_small_ones_leave_to_the_others() -> None:
    assert evenly_filled([1000, 10, 500], 310) == [150, 10, 150]
    assert evenly_filled([5, 6], 100) == [5, 6]
    assert evenly_filled([], 100) == []


def test_people_come_in_the_order_of_their_first_faces_and_single_faces_not_at_all() -> None:
    identities = np.array([7, 3, 7, 5, 3, 3])
    found = several_photos(identities, np.arange(6))
    assert [rows.tolist() for rows in found] == [[0, 2], [1, 4, 5]]
    assert [rows.tolist() for rows in several_photos(identities, np.array([1, 4]))] == [[1, 4]]
    assert several_photos(identities, np.array([3])) == []


def test_people_stay_together_and_chunks_are_full() -> None:
    identities = people(*[4] * 50)
    chunks = chunks_of(identities, np.arange(200), 20)
    assert [len(chunk) for chunk in chunks] == [20] * 10
    assert np.concatenate(chunks).tolist() == list(range(200))  # in the order of the tables


@pytest.mark.parametrize("seed", range(40))
def test_each_chunk_has_several_people_with_several_faces_each(seed: int) -> None:
    random = np.random.default_rng(seed)
    most, size = int(random.integers(2, 60)), int(random.integers(LEAST_CHUNK, 40))
    photos: list[int] = random.integers(1, most + 1, random.integers(2, 30)).tolist()
    identities = people(*photos)
    of_several = [rows for rows in np.split(np.arange(len(identities)), np.cumsum(photos)) if len(rows) >= 2]
    chunks = chunks_of(identities, np.arange(len(identities)), size)
    drawn = Counter(np.concatenate([np.zeros(0, int), *chunks]).tolist())
    assert drawn.keys() == {row for rows in of_several for row in rows.tolist()}
    for chunk in chunks:
        assert len(chunk) <= size
        assert len(set(chunk.tolist())) == len(chunk)
        counts = Counter(identities[chunk].tolist())
        assert min(counts.values()) >= 2
        assert len(counts) >= min(2, len(of_several))
    for rows in of_several:  # who is no more than half of a chunk is in one piece somewhere
        if len(rows) <= size // 2:
            assert any(set(rows.tolist()) <= set(chunk.tolist()) for chunk in chunks)


def test_a_face_is_in_two_chunks_only_where_somebody_would_be_alone() -> None:
    many = chunks_of(people(*[5] * 40), np.arange(200), 24)
    assert max(Counter(np.concatenate(many).tolist()).values()) == 1
    identities = people(300, 4)  # one person's video, and one who has four photos
    chunks = chunks_of(identities, np.arange(304), 20)
    assert all(len(set(identities[chunk].tolist())) == 2 for chunk in chunks)
    assert Counter(np.concatenate(chunks).tolist())[0] == 1


def test_a_sample_is_of_all_sets_and_of_whole_people() -> None:
    identities = people(*[4] * 500, *[4] * 5)
    sets = np.repeat([0, 1], [2000, 20])
    rows = sample_rows(identities, sets, 200, seed=3)
    assert len(rows) <= 200
    assert len(rows) > 180
    assert set(np.flatnonzero(sets).tolist()) <= set(rows.tolist())
    assert set(Counter(identities[rows].tolist()).values()) == {4}
    assert rows.tolist() == sample_rows(identities, sets, 200, seed=3).tolist()
    assert rows.tolist() != sample_rows(identities, sets, 200, seed=4).tolist()
    assert sample_rows(identities, sets, 5000, seed=3).tolist() == list(range(2020))


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_lanes_together_take_each_chunk_once_in_an_epoch(lanes: int) -> None:
    orders = [Order(24, lane, lanes, seed=1, of_set=0) for lane in range(lanes)]
    epochs = [
        [order.at(24 // lanes * epoch + n) for order in orders for n in range(24 // lanes)] for epoch in (0, 1, 2)
    ]
    assert [sorted(epoch) for epoch in epochs] == [list(range(24))] * 3
    assert epochs[0] != epochs[1]


def test_seed_and_set_decide_the_order() -> None:
    def first(seed: int, of_set: int) -> list[int]:
        order = Order(50, 0, 1, seed, of_set)
        return [order.at(n) for n in range(50)]

    assert first(1, 0) == first(1, 0)
    assert len({tuple(first(*key)) for key in ((1, 0), (2, 0), (1, 1))}) == 3
