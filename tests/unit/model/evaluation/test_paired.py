from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from mien.model.evaluation.paired import confusions, crossed, effect, holm, macro_f1, minus, recall

PEOPLE = np.repeat(np.arange(30), 6)


def outcomes(share: float, seed: int, people: np.ndarray = PEOPLE, spread: float = 0.15) -> np.ndarray:
    """Of five seeds; people differ in how easy they are."""
    random = np.random.default_rng(seed)
    own = (share + random.normal(0, spread, people.max() + 1)).clip(0, 1)[people]
    return (random.random((5, len(people))) < own).astype(np.float64)


def test_a_mean_and_an_interval_around_it() -> None:
    values = outcomes(0.7, 0)
    found = effect(values, PEOPLE)
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert effect(values, PEOPLE) == found
    assert effect(values, PEOPLE, seed=1) != found


def test_pairing_makes_a_small_steady_gain_certain() -> None:
    base = outcomes(0.5, 0, spread=0.4)
    better = base.copy()
    better[:, ::12] = 1.0  # every twelfth probe is mended with every seed
    assert effect(better - base, PEOPLE).above_zero
    alone, other = effect(better, PEOPLE), effect(base, PEOPLE)
    assert alone.low < other.high  # unpaired the two intervals overlap


def test_what_only_one_person_gains_is_not_certain() -> None:
    base = outcomes(0.5, 0)
    gained = base.copy()
    gained[:, PEOPLE == 3] = 1.0
    gained[:, PEOPLE == 4] = 0.0
    assert not effect(gained - base, PEOPLE).above_zero


def test_nothing_is_rarely_found_where_nothing_is() -> None:
    """Of 100 comparisons of two ways that are alike few have an interval without 0."""
    random = np.random.default_rng(5)
    false = 0
    for _ in range(100):
        hard = random.random(30)[PEOPLE]
        two = [(random.random((5, len(PEOPLE))) < hard).astype(np.float64) for _ in range(2)]
        found = effect(two[0] - two[1], PEOPLE, draws=400)
        false += not found.low <= 0 <= found.high
    assert false <= 10


def test_p_is_two_sided_and_never_0() -> None:
    values = np.ones((5, len(PEOPLE)))
    assert effect(values, PEOPLE, draws=999).p == pytest.approx(2 / 1000)
    assert effect(-values, PEOPLE, draws=999).p == pytest.approx(2 / 1000)
    assert effect(values * 0, PEOPLE, draws=999).p == 1.0


def test_one_person_or_nothing_has_no_interval() -> None:
    assert np.isnan(effect(np.ones((3, 4)), np.zeros(4, int)).low)
    assert np.isnan(effect(np.ones((3, 0)), np.zeros(0, int)).value)


def test_holm_by_hand() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": float("nan")})
    assert adjusted["a"] == pytest.approx(0.03)
    assert adjusted["c"] == pytest.approx(0.06)
    assert adjusted["b"] == pytest.approx(0.06)  # never below one with a smaller p
    assert np.isnan(adjusted["d"])
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_macro_f1_and_recall_are_those_of_the_library() -> None:
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 4, 180), random.integers(0, 4, (2, 180))
    counts = confusions(said, truth, PEOPLE, 4)
    both = np.tile(truth, 2), said.ravel()
    assert counts.sum() == 360
    assert crossed(macro_f1(counts), 2, 30).value == pytest.approx(f1_score(*both, average="macro"))
    per_class = recall_score(*both, average=None)
    for number in range(4):
        assert crossed(recall(counts, number), 2, 30).value == pytest.approx(per_class[number])


def test_a_class_that_is_not_there_counts_for_nothing() -> None:
    counts = confusions(np.array([[0, 1]]), np.array([0, 1]), np.array([0, 1]), 3)
    assert crossed(macro_f1(counts), 1, 2).value == 1.0
    assert np.isnan(crossed(recall(counts, 2), 1, 2).value)


def test_differences_are_of_the_same_draws() -> None:
    counts = confusions(np.array([[0, 1, 1, 0]]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 2)
    found = crossed(minus(macro_f1(counts), macro_f1(counts)), 1, 2)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
