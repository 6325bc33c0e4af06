"""Numbers as the 32 bits of a watermark, and back from bits that are partly wrong.

A number of 16 bits becomes a word of the Reed-Muller code RM(2, 5): 32 bits, of which two words differ in 8 at least.
So a number is read rightly although some bits are wrong, and bits that are no mark are seldom near a word. Soft values
are compared with all words; wrong bits are mostly those that the network is least sure of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float32, UInt8

BITS = 32
MAX_NUMBER = 2**16 - 1
_VARIABLES, _DEGREE = 5, 2


@dataclass(frozen=True)
class Match:
    """The word that soft values are nearest to."""

    number: int
    agreement: float
    """Of the sum of all values' sizes, the share that speaks for the word less the share that speaks against it: it is
    1 where all bits agree, and about 0 for a word that has nothing to do with the values."""
    strength: float
    """Mean of the values as they speak for the word."""


def word_of(number: int) -> UInt8[np.ndarray, " 32"]:
    """The bits of a number from 0 to `MAX_NUMBER`."""
    bits = (number >> np.arange(MAX_NUMBER.bit_length())) & 1
    return (bits @ _generator() % 2).astype(np.uint8)


def nearest_word(values: Float[np.ndarray, " 32"], among: frozenset[int] | None = None) -> Match | None:
    """The number whose word fits the values best: above 0 for a bit that is 1, below for one that is 0.

    `among` are the numbers to choose from, all if None; there is no match among none.
    """
    numbers = np.arange(MAX_NUMBER + 1) if among is None else np.array(sorted(among), np.int64)
    if not numbers.size:
        return None
    scores = _words()[numbers] @ values.astype(np.float32)
    best = int(scores.argmax())
    score, size = float(scores[best]), float(np.abs(values).sum())
    return Match(int(numbers[best]), score / size if size else 0.0, score / BITS)


@cache
def _generator() -> UInt8[np.ndarray, "16 32"]:
    """Each monomial of at most two of five variables, at all 32 points."""
    points = (np.arange(BITS)[:, None] >> np.arange(_VARIABLES)) & 1
    terms = [each for degree in range(_DEGREE + 1) for each in combinations(range(_VARIABLES), degree)]
    return np.array([points[:, list(term)].all(1) for term in terms], np.uint8)


@cache
def _words() -> Float32[np.ndarray, "65536 32"]:
    """All words, with 1 for a bit that is 1 and -1 for one that is 0."""
    bits = (np.arange(MAX_NUMBER + 1)[:, None] >> np.arange(MAX_NUMBER.bit_length())) & 1
    return (2.0 * (bits @ _generator() % 2) - 1).astype(np.float32)
