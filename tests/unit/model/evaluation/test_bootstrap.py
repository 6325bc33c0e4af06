"""Statistics against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.evaluation.bootstrap import average_of, difference_of, estimate, mean_of, slope_of

ALL = np.ones((1, 4))


def test_mean_leaves_out_what_is_missing() -> None:
    statistic = mean_of(np.array([1.0, np.nan, 3.0, 8.0]))
    assert statistic(ALL) == pytest.approx([4])
    assert statistic(np.array([[2.0, 5, 1, 0]])) == pytest.approx([5 / 3])
    assert np.isnan(statistic(np.array([[0.0, 1, 0, 0]]))).all()


def test_slope_is_of_the_fitted_line() -> None:
    asked = np.array([0.0, 1.0, 2.0, np.nan])
    reached = np.array([1.0, 1.0, 2.0, 9.0])  # x̄ = 1, ȳ = 4/3: (−1)(−1/3) + 0 + 1·(2/3) = 1, over 2
    assert slope_of(asked, reached)(ALL) == pytest.approx([0.5])
    assert slope_of(asked, 0.3 + 0.7 * asked)(ALL) == pytest.approx([0.7])
    assert np.isnan(slope_of(np.ones(4), np.arange(4.0))(ALL)).all()  # nothing was asked


def test_average_and_difference() -> None:
    one, two = mean_of(np.array([1.0, 2, 3, 4])), mean_of(np.array([2.0, 2, 2, 2]))
    assert average_of(one, two)(ALL) == pytest.approx([2.25])
    assert difference_of(one, two)(ALL) == pytest.approx([0.5])


def test_interval_of_two_people_is_from_one_to_the_other() -> None:
    # Of two people the draws are {a, a}, {a, b}, {b, b}, with a quarter, a half, a quarter of the chance.
    people = np.array([0, 0, 1, 1])
    found = estimate(mean_of(np.array([1.0, 3.0, 5.0, 7.0])), people)
    assert (found.value, found.low, found.high) == (4, 2, 6)
    assert found.half_width == 2


def test_people_are_drawn_not_pairs() -> None:
    # 100 pairs of each of four people who differ: as uncertain as four values, not as four hundred.
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 100)
    by_person = estimate(mean_of(values), np.repeat(np.arange(4), 100))
    by_pair = estimate(mean_of(values), np.arange(400))
    assert by_person.half_width > 5 * by_pair.half_width


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        values = random.normal(size=30)
        found = estimate(mean_of(values), np.arange(30), draws=400)
        covered.append(found.low <= 0 <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    values, people = np.random.default_rng(1).normal(size=30), np.arange(30) // 3
    assert estimate(mean_of(values), people) == estimate(mean_of(values), people)
    assert estimate(mean_of(values), people, seed=1) != estimate(mean_of(values), people)


def test_one_person_has_no_interval() -> None:
    found = estimate(mean_of(np.array([1.0, 2.0])), np.array([7, 7]))
    assert found.value == 1.5
    assert np.isnan([found.low, found.high]).all()
