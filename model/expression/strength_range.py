"""How strong an expression may be asked for, and how strong it is of each pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.model.errors import SettingsError
from mien.model.pair_hashes import mixed

MIN_STRENGTH, MAX_STRENGTH = 0.5, 1.5
"""Below, little is left of an expression; above, landmarks lie where no face of the training has them."""


def check_strength(strength: float) -> None:
    """Raises SettingsError unless the strength lies within its bounds; NaN does not."""
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise SettingsError(f"the strength must lie in {MIN_STRENGTH:g} to {MAX_STRENGTH:g}, not {strength:g}")


@dataclass(frozen=True)
class Strength:
    """A strength, or a range in which each pair has one of its own."""

    min: float = 1.0
    max: float = 1.0

    def __post_init__(self) -> None:
        for strength in (self.min, self.max):
            check_strength(strength)
        if self.min > self.max:
            raise SettingsError(f"the range of the strength ends before it begins: write {self.max:g}..{self.min:g}")

    @staticmethod
    def of(text: str) -> Strength:
        """From a number, or from two with two dots between them: 1.2, 0.8..1.2.

        Raises:
            SettingsError: it is neither, or out of bounds.
        """
        first, dots, last = text.partition("..")
        try:
            return Strength(float(first), float(last if dots else first))
        except ValueError as error:
            raise SettingsError(f"{text!r} is no strength: write a number such as 1.2, or a range: 0.8..1.2") from error

    def drawn(self, seed: int) -> float:
        """That of the pair with this seed: even over the range, in thousandths."""
        share = float(mixed(np.array([seed], np.uint64))[0] >> np.uint64(11)) / 2**53
        return round(self.min + share * (self.max - self.min), 3)
