"""Parts of an expression that can be taken alone: the rest stays as the source photo shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool

from mien.model.errors import SettingsError

ExpressionPart = Literal["mouth", "eyes", "brows", "pose"]
PARTS: tuple[ExpressionPart, ...] = get_args(ExpressionPart)

_LANDMARKS: dict[ExpressionPart, tuple[slice, ...]] = {
    "mouth": (slice(0, 17), slice(27, 36), slice(48, 68)),  # the jaw and the nose move with the mouth
    "eyes": (slice(36, 48),),
    "brows": (slice(17, 27),),
}


def checked_parts(parts: Iterable[str]) -> tuple[ExpressionPart, ...]:
    """The parts in their usual order, each once.

    Raises:
        SettingsError: one is unknown, or there is none.
    """
    asked = list(parts)
    unknown = [part for part in asked if part not in PARTS]
    if unknown or not asked:
        named = f"{unknown[0]!r} is no part of an expression" if unknown else "no part of the expression is taken"
        raise SettingsError(f"{named}: write some of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in asked)


def moved_landmarks(parts: Iterable[ExpressionPart]) -> Bool[np.ndarray, " 68"]:
    """Those that follow the driver."""
    moved = np.zeros(68, np.bool_)
    for part in parts:
        for landmarks in _LANDMARKS.get(part, ()):
            moved[landmarks] = True
    return moved
