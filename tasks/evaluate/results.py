"""What an evaluation is asked for, and what it finds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mien.model.evaluation.bootstrap import Estimate
from mien.model.expression.retargeting import RetargetSettings
from mien.tasks.sets.faces import FaceTables

Kind = Literal["same", "cross"]
"""Of pairs: two photos of one person, or of two."""
HELD_OUT = ("val", "test")
GENERATED = "generated"
"""The method that is evaluated."""
SPLINE, WARP, COPY, PHOTO, ASKED = "spline", "warp", "copy", "photo", "asked"
"""What it stands beside: the source warped by the spline alone; the source warped by the spline and the motion of the
head around the face, which is the better of the two; the source; another photo of the source's person; the asked
landmarks. Only the spline is what ratios are taken against: they can be compared with those of former evaluations."""

SOURCES_OF = "sources_{}"
"""The method that is evaluated, from so many photos of the person."""

Estimates = dict[str, Estimate]
"""By measure."""


@dataclass(frozen=True)
class EvaluationSettings:
    """Which pairs are measured."""

    pairs: int = 100
    """Same-person, for each split, in turns over its people."""
    cross_pairs: int = 100
    """Of two people, for each split, in turns over the people of the sources; 0 leaves them out."""
    seed: int = 0
    """Of the pairs and of the bootstrap."""
    several_pairs: int = 40
    """Of the same-person pairs of each split, so many are also made from several photos of the person."""
    retarget: RetargetSettings = field(default_factory=RetargetSettings)
    """How cross-person pairs ask for the driver's expression."""
    embedder: str | None = None
    """A second detector, by name, whose embedding judges identity besides that of the sets' own."""


@dataclass(frozen=True)
class EvaluationPair:
    """Two faces, by id."""

    source: str
    target: str
    """Same-person: the photo to come to. Cross-person: the driver, whose expression is asked for."""
    person: str
    """Of the source."""
    photo: str | None = None
    """Another photo of the source's person, where there is one; for cross-person pairs."""
    others: tuple[str, ...] = ()
    """Further photos of that person, nearest to the target first, for results that are made from several."""


@dataclass(frozen=True)
class EvaluationInputs:
    """The generator that is evaluated, those beside it, and the sets whose faces they are given."""

    sha256: str
    rivals: tuple[tuple[str, str], ...]
    """Name and hash of the weights."""
    sets: tuple[FaceTables, ...]
    retarget: RetargetSettings
    neutrals: str | None
    """Fingerprint of the people's neutrals; None asks for the drivers' own points."""
    embedder: str | None = None
    """The second detector."""

    @property
    def generators(self) -> dict[str, str]:
        """Hashes of the weights by method."""
        return {GENERATED: self.sha256, **dict(self.rivals)}


@dataclass(frozen=True)
class Section:
    """The pairs of one kind in one split."""

    split: str
    kind: Kind
    pairs: int
    people: int
    means: dict[str, Estimates]
    """By method."""
    differences: dict[str, Estimates]
    """Generated − method, of the pairs that both have."""
    ratios: dict[str, dict[str, float]]
    """By method and measure, against the spline of the same run: × of errors, + of SSIM."""
    several: bool = False
    """Whether these are the pairs that were also made from several photos."""

    @property
    def group(self) -> str:
        """Of metrics in MLflow: `val`, `val_cross`, or `val_sources`."""
        if self.several:
            return f"{self.split}_sources"
        return self.split if self.kind == "same" else f"{self.split}_{self.kind}"


@dataclass(frozen=True)
class SheetPlan:
    """A sheet of pictures to be drawn: which pairs, and what is said of each."""

    name: str
    title: str
    kind: Kind
    pairs: tuple[EvaluationPair, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """What was found. `sheets.draw_sheets` draws the pictures.

    All pictures are measured at the side of the crops, whatever the generators': `mien evaluate` and the promotion see
    what a transfer would give, and several generators are compared at one side.
    """

    inputs: EvaluationInputs
    settings: EvaluationSettings
    sections: tuple[Section, ...]
    sheets: tuple[SheetPlan, ...]
    several: tuple[Section, ...] = ()
    """The share of the same-person pairs that was also made from several photos, by split. `generated` is there the
    result from one, on the same pairs."""
    notes: tuple[str, ...] = ()
    """Lines on people who were left out, or should have been."""

    def section(self, split: str, kind: Kind) -> Section | None:
        """None if there were no such pairs."""
        return next((s for s in self.sections if (s.split, s.kind) == (split, kind)), None)

    @property
    def deciding_split(self) -> str:
        """The split that generators are chosen by: val, if anybody is in it."""
        return next(s.split for s in self.sections if s.kind == "same")

    def metrics(self) -> dict[str, float]:
        """Names for MLflow. The means of each method are a group, `val/generated.l1`; the intervals, differences and
        ratios another, `val_details/generated.l1_low`, `val_cross_details/generated_minus_warp.nme`. From four photos:
        `val_sources/sources_4.l1`, beside `val_sources/generated.l1` from one."""
        return {
            name: value for s in (*self.sections, *self.several) for name, value in _flat(s) if math.isfinite(value)
        }


def _flat(section: Section) -> Iterator[tuple[str, float]]:
    details = f"{section.group}_details"
    differences = {f"{GENERATED}_minus_{method}": values for method, values in section.differences.items()}
    for group, methods in ((section.group, section.means), (details, differences)):
        for method, estimates in methods.items():
            for measure, estimate in estimates.items():
                name = f"{method}.{measure}"
                yield f"{group}/{name}", estimate.value
                yield from ((f"{details}/{name}_low", estimate.low), (f"{details}/{name}_high", estimate.high))
    for method, ratios in section.ratios.items():
        for measure, ratio in ratios.items():
            yield f"{details}/{method}_to_{SPLINE}.{measure}", ratio
