"""Numbers as 32 bits: far apart, and read rightly from bits that are partly wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.images.watermark_code import BITS, MAX_NUMBER, nearest_word, word_of


def values_of(number: int) -> np.ndarray:
    return 2.0 * word_of(number) - 1


def test_two_numbers_differ_in_eight_bits_at_least() -> None:
    """The words are a linear code: their least distance is the least number of ones of a word that is not zero."""
    ones = [int(word_of(number).sum()) for number in range(1, MAX_NUMBER + 1)]
    assert min(ones) == 8
    assert word_of(0).tolist() == [0] * BITS


@pytest.mark.parametrize("number", [0, 1, 4711, MAX_NUMBER])
def test_any_three_wrong_bits_are_put_right(number: int) -> None:
    random = np.random.default_rng(number)
    for _ in range(20):
        values = values_of(number)
        values[random.choice(BITS, 3, replace=False)] *= -1
        found = nearest_word(values)
        assert found is not None
        assert found.number == number
        assert found.agreement == pytest.approx(1 - 6 / BITS)


def test_more_wrong_bits_are_put_right_where_they_are_unsure() -> None:
    random = np.random.default_rng(0)
    for number in range(0, MAX_NUMBER, 4099):
        values = values_of(number) * 10
        values[random.choice(BITS, 8, replace=False)] *= -0.05
        found = nearest_word(values)
        assert found is not None
        assert found.number == number
        assert found.agreement > 0.95


def test_only_known_numbers_are_looked_for() -> None:
    values = values_of(77)
    assert nearest_word(values, frozenset({5, 77})).number == 77  # pyright: ignore[reportOptionalMemberAccess]
    other = nearest_word(values, frozenset({5, 6}))
    assert other is not None
    assert other.number in (5, 6)
    assert other.agreement <= 1 - 2 * 8 / BITS
    assert nearest_word(values, frozenset()) is None


def test_no_values_are_no_agreement() -> None:
    assert nearest_word(np.zeros(BITS)).agreement == 0  # pyright: ignore[reportOptionalMemberAccess]
