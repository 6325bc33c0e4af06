"""Plans depend on the faces, the settings and the seed, and on nothing else."""

from __future__ import annotations

import random

import pytest

from model.planning import PlanFace, plan_pairs, planned_pair

FACES = [PlanFace(f"{person}{n}", person) for person in "abcd" for n in range(5)]
BY_ID = {face.face_id: face for face in FACES}


def test_each_identity_gets_its_number_of_pairs_and_never_a_driver_of_its_own() -> None:
    pairs = plan_pairs(FACES, FACES, per_identity=7, seed=1)
    counts = dict.fromkeys("abcd", 0)
    for pair in pairs:
        source, driver = BY_ID[pair.identity_face_id], BY_ID[pair.expression_face_id]
        assert source.identity != driver.identity
        counts[source.identity] += 1
    assert counts == dict.fromkeys("abcd", 7)


def test_the_order_of_the_faces_does_not_matter() -> None:
    shuffled = random.Random(3).sample(FACES, len(FACES))
    assert plan_pairs(shuffled, list(reversed(FACES)), 9, seed=4) == plan_pairs(FACES, FACES, 9, seed=4)


def test_another_seed_is_another_plan() -> None:
    first, second = (plan_pairs(FACES, FACES, 9, seed) for seed in (0, 1))
    assert {(p.identity_face_id, p.expression_face_id) for p in first} != {
        (p.identity_face_id, p.expression_face_id) for p in second
    }


@pytest.mark.parametrize(("sources", "drivers"), [(5, 15), (4, 6), (1, 3), (6, 4)])
def test_every_pair_comes_exactly_once_where_more_are_asked_for_than_there_are(sources: int, drivers: int) -> None:
    people = [PlanFace(f"a{n}", "a") for n in range(sources)]
    others = [PlanFace(f"b{n}", "b") for n in range(drivers)]
    pairs = plan_pairs(people, others, per_identity=1000, seed=0)
    assert len({(p.identity_face_id, p.expression_face_id) for p in pairs}) == len(pairs) == sources * drivers


def test_drivers_are_used_once_each_before_any_is_used_again() -> None:
    pairs = plan_pairs(FACES[:5], FACES, per_identity=15, seed=0)
    assert len({pair.expression_face_id for pair in pairs}) == 15


def test_an_identity_alone_gets_nothing() -> None:
    assert plan_pairs(FACES[:5], FACES[:5], per_identity=3, seed=0) == []


def test_the_id_and_the_seed_of_a_pair_follow_from_its_faces() -> None:
    pair = planned_pair("s", "d", 5)
    assert pair == planned_pair("s", "d", 5)
    assert pair.pair_id != planned_pair("d", "s", 5).pair_id
    assert 0 <= pair.seed < 2**32
