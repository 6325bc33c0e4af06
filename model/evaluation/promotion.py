"""Whether a new generator becomes champion: better by the validation metric, and nowhere worse by much.

One number cannot choose a generator: L1 falls when faces blur, and a blurred mouth hides in the mean of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Measure = Literal[
    "l1", "ssim", "mouth_l1", "eye_l1", "nme", "found", "identity_distance", "cross_identity_distance", "leak"
]
MEASURES: tuple[Measure, ...] = get_args(Measure)

VALIDATION_METRIC: Measure = "l1"
"""What has to be better, lower."""
HIGHER_IS_BETTER = frozenset[Measure]({"ssim", "found"})


@dataclass(frozen=True)
class PromotionSettings:
    """How much worse than the champion a new champion may be, by each measure but the one it has to win by.

    Absolute margins where the measure has a scale of its own (SSIM, shares), else relative to the champion's.
    """

    ssim: float = 0.005
    """Absolute."""
    mouth_l1: float = 0.02
    """Relative. The mouth is where expressions are seen: less is forgiven than elsewhere."""
    eye_l1: float = 0.02
    """Relative."""
    nme: float = 0.05
    """Relative. Landmarks found on two pictures of one face differ by more than this."""
    found: float = 0.01
    """Absolute: share of results with a face. What has none is in no other mean that needs one."""
    identity_distance: float = 0.03
    """Relative; to the target photo, same person."""
    cross_identity_distance: float = 0.03
    """Relative; to the source, with another person's expression."""
    leak: float = 0.02
    """Absolute: share of results nearer to the driver than to the source."""

    def allowed(self, measure: Measure, champion: float) -> float:
        """How much worse than the champion's value a value may be."""
        margin: float = getattr(self, measure)
        return margin if measure in ("ssim", "found", "leak") else margin * abs(champion)


@dataclass(frozen=True)
class Comparison:
    """New against champion by one measure."""

    measure: Measure
    new: float
    champion: float
    allowed: float
    """How much worse the new one may be; 0 for the validation metric, by which it has to be better."""

    @property
    def worse_by(self) -> float:
        """Above 0 where the new one is worse."""
        change = self.new - self.champion
        return -change if self.measure in HIGHER_IS_BETTER else change

    @property
    def passed(self) -> bool:
        """A measure that the champion lacks is no hindrance; one that only the new one lacks is."""
        if self.measure == VALIDATION_METRIC:
            return self.worse_by < 0
        return math.isnan(self.champion) or self.worse_by <= self.allowed


@dataclass(frozen=True)
class Decision:
    """Whether the new generator becomes champion, and why."""

    promoted: bool
    reason: str
    """One line."""
    comparisons: tuple[Comparison, ...] = ()


def decide(
    new: Mapping[Measure, float], champion: Mapping[Measure, float] | None, settings: PromotionSettings
) -> Decision:
    """Compares measures of both on the same pairs; None if there is no champion. NaN: could not be measured."""
    if champion is None:
        return Decision(True, "it is the first")
    comparisons = tuple(_compared(new, champion, settings))
    lost = [c for c in comparisons if not c.passed]
    first = comparisons[0]
    if first in lost:
        return Decision(False, f"{_values(first)}: not better", comparisons)
    if lost:
        where = ", ".join(f"{_values(c)} (allowed: {c.allowed:.4f} worse)" for c in lost)
        return Decision(False, f"{_values(first)}: better, but it loses by {where}", comparisons)
    return Decision(True, f"{_values(first)}: better, and nowhere worse by more than the margins", comparisons)


def _compared(
    new: Mapping[Measure, float], champion: Mapping[Measure, float], settings: PromotionSettings
) -> Iterator[Comparison]:
    yield Comparison(VALIDATION_METRIC, new[VALIDATION_METRIC], champion[VALIDATION_METRIC], 0.0)
    for measure in MEASURES[1:]:
        yield Comparison(measure, new[measure], champion[measure], settings.allowed(measure, champion[measure]))


def _values(compared: Comparison) -> str:
    return f"{compared.measure} {compared.new:.4f} against the champion's {compared.champion:.4f}"
