"""A few words for an expression, from its landmarks alone: "mouth open, brows up"."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mien.model.expression.clusters import FIRST_POINT
from mien.model.expression.neutral import LID_PAIRS, LIP_PAIRS, gaps

CALM = "calm"
MAX_WORDS = 3


class _Trait(NamedTuple):
    value: float
    """How far from the neutral, in distances between the eye centres."""
    steps: tuple[tuple[float, str], ...]
    """From which value on a word holds; the last one that does is said."""


def described(offsets: Float[np.ndarray, " offsets"]) -> str:
    """Words for what a face, or the centre of a cluster, moves beyond the neutral (`expression_offsets`): the strongest
    first, at most three; "calm" where nothing is distinct."""
    moved = np.zeros((68, 2))
    moved[FIRST_POINT:] = np.asarray(offsets, np.float64).reshape(-1, 2)
    said: list[tuple[float, str]] = []
    for value, steps in _traits(moved):
        words = [word for least, word in steps if value >= least]
        if words:
            said.append((value / steps[0][0], words[-1]))
    return ", ".join(word for _, word in sorted(said, key=lambda each: -each[0])[:MAX_WORDS]) or CALM


def _traits(moved: Float[np.ndarray, "68 2"]) -> list[_Trait]:
    x, y = moved.T
    lips, lids = (float(gaps(moved[None], pairs).mean()) for pairs in (LIP_PAIRS, LID_PAIRS))
    brows = float(y[17:27].mean() - y[[36, 39, 42, 45]].mean())
    corners = float(y[[48, 54]].mean() - y[33])
    width, frown = float(x[54] - x[48]), float(x[22] - x[21])
    return [
        _Trait(lips, ((0.06, "mouth open"), (0.2, "mouth wide open"))),
        _Trait(-lids, ((0.03, "eyes narrowed"), (0.07, "eyes closed"))),
        _Trait(lids, ((0.025, "eyes wide"),)),
        _Trait(-brows, ((0.03, "brows up"),)),
        _Trait(brows, ((0.03, "brows down"),)),
        _Trait(-frown, ((0.025, "brows together"),)),
        _Trait(-corners, ((0.03, "mouth corners up"),)),
        _Trait(corners, ((0.03, "mouth corners down"),)),
        _Trait(width, ((0.07, "mouth wide"),)),
        _Trait(-width, ((0.06, "mouth narrow"),)),
    ]
