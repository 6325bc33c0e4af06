"""Whether a new generator becomes champion.

It has to be trained for a while, to beat what needs no training, to be better than the present champion by the
validation metric, and nowhere worse by much than the best champion there ever was. One number cannot choose a
generator: L1 falls when faces blur, and a blurred mouth hides in the mean of a picture.

Values of two evaluations cannot be compared: the pairs differ as a set grows. So what is kept of a champion is how much
it is behind the best, by each measure (`behind`). Each new champion is measured beside the present one, on the same
pairs, and what it loses is added to what the present one had lost before. Ten small losses add up, as they should.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mien.model.evaluation.promotion_settings import (
    ABSOLUTE,
    HIGHER_IS_BETTER,
    MEASURES,
    VALIDATION_METRIC,
    Baseline,
    Measure,
    PromotionSettings,
)

Values = Mapping[Measure, float]
"""By measure; NaN where something could not be measured."""

_BLUR: Measure = "sharpness_gap"


@dataclass(frozen=True)
class Candidate:
    """A trained generator."""

    values: Values
    updates: int
    """That its weights have seen."""


@dataclass(frozen=True)
class Champion:
    """The present champion, measured on the pairs of the candidate."""

    values: Values
    behind: Values = field(default_factory=dict[Measure, float])
    """How much worse it is than the best champion there ever was: a difference, or a share of the best value where the
    margin is relative. A measure that is absent is one where it is the best."""

    def best(self, measure: Measure) -> float:
        """What the best champion there ever was would have in this evaluation."""
        value, behind = self.values[measure], self.behind.get(measure, 0.0)
        if measure not in ABSOLUTE:
            return value / (1 + behind)
        return value + behind if measure in HIGHER_IS_BETTER else value - behind


@dataclass(frozen=True)
class Comparison:
    """The candidate against another by one measure."""

    measure: Measure
    new: float
    other: str
    """In the words of a sentence: `the champion`, `warp`."""
    value: float
    """The other's."""
    allowed: float | None
    """How much worse the candidate may be; None where it has to be better."""

    @property
    def worse_by(self) -> float:
        """Above 0 where the candidate is worse."""
        change = self.new - self.value
        return -change if self.measure in HIGHER_IS_BETTER else change

    @property
    def passed(self) -> bool:
        """A measure that the other lacks is no hindrance; one that only the candidate lacks is."""
        if self.allowed is None:
            return self.worse_by < 0
        return math.isnan(self.value) or self.worse_by <= self.allowed + 1e-12

    def __str__(self) -> str:
        margin = "" if self.allowed is None else f" (allowed: {self.allowed:.4f} worse)"
        return f"{self.measure} {self.new:.4f} against {self.other}'s {self.value:.4f}{margin}"


@dataclass(frozen=True)
class Decision:
    """Whether the candidate becomes champion, and why."""

    promoted: bool
    reason: str
    """One line."""
    comparisons: tuple[Comparison, ...] = ()
    behind: Values = field(default_factory=dict[Measure, float])
    """`Champion.behind` of the candidate, should it become champion."""


def decide(
    candidate: Candidate, baselines: Mapping[Baseline, Values], champion: Champion | None, settings: PromotionSettings
) -> Decision:
    """Compares the measures of all on the same pairs.

    Args:
        candidate: The new generator.
        baselines: What each method without training reaches; those of the settings must be among them.
        champion: None if there is none.
        settings: Floors and margins.
    """
    simple = [c for name in settings.baselines for c in _beside(candidate.values, name, baselines[name], settings)]
    rival = list(_against(candidate.values, champion, settings)) if champion else []
    others = [*baselines.values(), *([champion.values] if champion else [])]
    faults = [*_unfit(candidate, others, settings), *_lost(simple), *_lost(rival)]
    behind = {} if champion is None else dict(_behind(candidate.values, champion))
    reason = "; ".join(faults) or _won(settings, simple, rival)
    return Decision(not faults, reason, (*rival, *simple), behind)


def _beside(new: Values, name: Baseline, values: Values, settings: PromotionSettings) -> Iterator[Comparison]:
    yield Comparison(VALIDATION_METRIC, new[VALIDATION_METRIC], name, values[VALIDATION_METRIC], None)
    yield Comparison(_BLUR, new[_BLUR], name, values[_BLUR], settings.max_blur)


def _against(new: Values, champion: Champion, settings: PromotionSettings) -> Iterator[Comparison]:
    first = VALIDATION_METRIC
    yield Comparison(first, new[first], "the champion", champion.values[first], None)
    for measure in MEASURES:
        if measure != first:
            best = champion.best(measure)
            other = "the best champion" if champion.behind.get(measure) else "the champion"
            yield Comparison(measure, new[measure], other, best, settings.allowed(measure, best))


def _unfit(candidate: Candidate, others: Sequence[Values], settings: PromotionSettings) -> Iterator[str]:
    """What speaks against a candidate whatever the others reach."""
    if candidate.updates < settings.min_updates:
        yield f"it had {candidate.updates} updates, and min_updates is {settings.min_updates}"
    values = candidate.values
    measurable = {VALIDATION_METRIC, *(m for m in MEASURES if any(math.isfinite(other[m]) for other in others))}
    lacking = [m for m in MEASURES if math.isinf(values[m]) or (m in measurable and math.isnan(values[m]))]
    if lacking:
        yield f"it has no finite {', '.join(lacking)}"


def _lost(comparisons: list[Comparison]) -> Iterator[str]:
    """In figures the first measure that is too much worse, then the names of the others: one line for a terminal.

    What the candidate lacks is named by `_unfit`.
    """
    lost = [c for c in comparisons if not c.passed and math.isfinite(c.new)]
    yield from (f"{comparison}: not better" for comparison in lost if comparison.allowed is None)
    if worse := [comparison for comparison in lost if comparison.allowed is not None]:
        others = ", ".join(comparison.measure for comparison in worse[1:])
        yield f"{worse[0]}: too much worse" + (f", as by {others}" if others else "")


def _won(settings: PromotionSettings, simple: list[Comparison], rival: list[Comparison]) -> str:
    beaten = " and ".join(settings.baselines)
    over = "" if not simple else f"{'' if rival else ' and'} better than {beaten}"
    if rival:
        return f"{rival[0]}: better{over and ',' + over}, and nowhere worse by more than the margins"
    return f"it is the first{over}"


def _behind(new: Values, champion: Champion) -> Iterator[tuple[Measure, float]]:
    """How much the candidate is behind the best; by a measure that was not taken, as much as the champion."""
    for measure in MEASURES:
        best, value, former = champion.best(measure), new[measure], champion.behind.get(measure, 0.0)
        if not (math.isfinite(best) and math.isfinite(value)):
            lost = former
        else:
            worse = best - value if measure in HIGHER_IS_BETTER else value - best
            lost = worse if measure in ABSOLUTE else worse / best if best > 0 else 0.0
        if lost > 0:
            yield measure, lost
