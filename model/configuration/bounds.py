"""Bounds of settings, as annotations of their fields: `batch_size: Count = 4`.

A dataclass whose fields carry bounds calls `check_bounds(self)` in its `__post_init__`, so a value out of bounds is
refused wherever it comes from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from mien.model.errors import SettingsError


@dataclass(frozen=True)
class Bounds:
    """Limits of a number. NaN and the infinities are out of any bounds."""

    min: int | float | None = None
    max: int | float | None = None
    above: int | float | None = None
    """The number has to be greater than this."""
    below: int | float | None = None
    """The number has to be less than this."""

    def __contains__(self, number: int | float) -> bool:
        return (
            (isinstance(number, int) or math.isfinite(number))
            and (self.min is None or number >= self.min)
            and (self.max is None or number <= self.max)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        limits = {"at least": self.min, "above": self.above, "at most": self.max, "below": self.below}
        return " and ".join(f"{words} {limit}" for words, limit in limits.items() if limit is not None) or "finite"


@dataclass(frozen=True)
class GivenByData:
    """Marks a field that no settings file sets, since the data decides it."""


ANY = Bounds()

Count = Annotated[int, Bounds(min=1)]
CountOrZero = Annotated[int, Bounds(min=0)]
Seed = Annotated[int, Bounds(min=0, max=2**63 - 1)]
Positive = Annotated[float, Bounds(above=0)]
NotNegative = Annotated[float, Bounds(min=0)]
Share = Annotated[float, Bounds(min=0, max=1)]
BelowOne = Annotated[float, Bounds(min=0, below=1)]


@cache
def field_types(kind: type[Any]) -> dict[str, Any]:
    """For each field of a dataclass the type with its annotations."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def bounds_of(hint: Any) -> Bounds:
    """The bounds that a type carries, also within a union; without any, those that only NaN and infinities break."""
    if get_origin(hint) is Annotated:
        return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Bounds)), ANY)
    return next((found for part in get_args(hint) if (found := bounds_of(part)) is not ANY), ANY)


def check_bounds(settings: Any) -> None:
    """Raises SettingsError, with one line that names the field, where a number is out of its bounds."""
    for name, hint in field_types(type(settings)).items():
        value = getattr(settings, name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value not in bounds_of(hint):
            raise SettingsError(f"{name} must be {bounds_of(hint)}, not {value}")
