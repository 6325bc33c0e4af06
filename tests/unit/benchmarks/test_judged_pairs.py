from __future__ import annotations

import numpy as np
import pytest

from benchmarks import judged_pairs
from benchmarks.judged_measures import is_shut
from benchmarks.judged_pairs import (
    asked_eyes,
    pairs_of_one,
    pairs_of_two,
    shut_eyes_of_one,
    shut_eyes_of_two,
    usual_eyes,
)
from benchmarks.making import Photo
from mien.model.expression.shape_model import ShapeModel
from tests.unit.benchmarks.given_photos import photo

PHOTOS = [
    photo(person, 10 * number + n, lids)
    for number, person in enumerate(("anna", "bert", "carl"))
    for n, lids in enumerate((1.0, 0.95, 0.9, 0.02 if person != "carl" else 1.0))
]
USUAL = usual_eyes(PHOTOS)


@pytest.fixture
def model() -> ShapeModel:
    points = np.stack([each.points for each in PHOTOS])
    points = points + np.random.default_rng(0).normal(0, 1e-3, points.shape)
    return ShapeModel.fit(points, np.repeat(np.arange(3), 4))


def test_eyes_are_usually_open_as_in_most_photos() -> None:
    assert USUAL["set/anna"] == pytest.approx(0.925 * eyes(PHOTOS[0]), rel=0.03)
    assert USUAL["set/carl"] == pytest.approx(0.975 * eyes(PHOTOS[0]), rel=0.03)


def test_pairs_of_one_show_one_person_and_ask_for_what_the_other_photo_shows() -> None:
    pairs = pairs_of_one(PHOTOS, 9)
    assert len(pairs) == 9
    for source, driver, expression in zip(pairs.firsts, pairs.drivers, pairs.expressions, strict=True):
        assert source.person == driver.person
        assert source is not driver
        assert np.array_equal(expression.points, driver.points)


def test_pairs_of_two_show_two_people(model: ShapeModel) -> None:
    pairs = pairs_of_two(PHOTOS, model, 9)
    assert {one.person for one in pairs.firsts} == {"set/anna", "set/bert", "set/carl"}
    assert all(one.person != other.person for one, other in zip(pairs.firsts, pairs.drivers, strict=True))
    assert not pairs.one_person


def test_shut_eyes_of_one_are_asked_of_open_ones_each_once() -> None:
    pairs = shut_eyes_of_one(PHOTOS, USUAL, 10)
    assert sorted(one.person for one in pairs.drivers) == ["set/anna", "set/bert"]
    assert_asks_open_eyes_to_shut(pairs)
    assert len(shut_eyes_of_one(PHOTOS, USUAL, 1)) == 1


def test_shut_eyes_of_two_are_asked_of_open_ones_of_other_people(model: ShapeModel) -> None:
    pairs = shut_eyes_of_two(PHOTOS[8:], PHOTOS, model, USUAL, 5)
    assert len(pairs) == 5
    assert {one.person for one in pairs.firsts} == {"set/carl"}
    assert_asks_open_eyes_to_shut(pairs)


def test_where_nobody_shuts_the_eyes_there_are_no_pairs(model: ShapeModel) -> None:
    awake = [one for one in PHOTOS if one.person == "set/carl"]
    assert len(shut_eyes_of_one(awake, USUAL, 5)) == 0
    assert len(shut_eyes_of_two(awake, awake, model, USUAL, 5)) == 0


def test_grey_pairs_ask_for_the_same() -> None:
    pairs = pairs_of_one(PHOTOS, 3)
    assert pairs.grey.expressions is pairs.expressions
    assert all((np.ptp(one.crop, axis=2) == 0).all() for one in pairs.grey.firsts)


def assert_asks_open_eyes_to_shut(pairs: judged_pairs.Pairs) -> None:
    for source, expression in zip(pairs.firsts, pairs.expressions, strict=True):
        usual = USUAL[source.person]
        assert eyes(source) > judged_pairs.OPEN * usual
        assert is_shut(asked_eyes(source, expression), usual)


def eyes(one: Photo) -> float:
    return asked_eyes(one, judged_pairs.own_expressions([one])[0])
