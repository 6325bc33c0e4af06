"""The evaluation as tables: markdown for terminal, model card and run; JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model.statistics import Estimate
from tasks.evaluation.record import COPY, GENERATED, TPS, Evaluation, Section
from tasks.evaluation.summary import GAINS, MEASURES, RATIOS

_TITLES = {
    "identity_similarity": "identity", "identity_distance": "id dist", "driver_distance": "driver dist",
    "mouth_l1": "mouth l1", "eye_l1": "eye l1", "mouth_reached": "mouth reached", "eyes_reached": "eyes reached",
    "expression_reached": "reached",
}  # fmt: skip
_DIGITS = {"psnr": 2, "leak": 3, "found": 3, "mouth_reached": 3, "eyes_reached": 3, "expression_reached": 3}
_ABSENT = "–"


@dataclass(frozen=True)
class Table:
    """A titled table of strings."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Aligned, so that it reads well in a terminal too."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (self.head, *self.rows)
        ]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        head, *body = ("| " + " | ".join(line) + " |" for line in lines)
        return "\n".join([f"**{self.title}**", "", head, rule, *body])


def as_table(evaluation: Evaluation) -> str:
    """All tables as markdown."""
    return "\n\n".join(table.markdown() for table in tables(evaluation))


def tables(evaluation: Evaluation) -> list[Table]:
    """For each split and kind of pairs: the means, what they are against the warped source, the paired differences."""
    return [table for section in evaluation.sections for table in _of_section(section)]


def _of_section(section: Section) -> Iterator[Table]:
    kind = "one person" if section.kind == "same" else "two people"
    about = f"{section.split}, {kind}: {section.pairs} pairs, {section.people} people"
    measures = MEASURES[section.kind]
    yield _table(
        f"{about}; mean ±95%", measures, [(m, [_mean(e, n) for n in measures]) for m, e in section.means.items()]
    )
    compared = (*RATIOS[section.kind], *GAINS[section.kind])
    ratios = {method: its for method, its in section.ratios.items() if method != COPY}
    rows = [(f"{method} / {TPS}", [_ratio(section, its, n) for n in compared]) for method, its in ratios.items()]
    yield _table(f"{about}; × of {TPS} (SSIM: +)", compared, rows)
    differences = [
        (f"{GENERATED} − {method}", [_interval(e.get(n), n) for n in measures])
        for method, e in section.differences.items()
        if e
    ]
    yield _table(f"{about}; difference on the same pairs [95%]", measures, differences)


def _table(title: str, measures: Sequence[str], rows: list[tuple[str, list[str]]]) -> Table:
    head = ("method", *(_TITLES.get(name, name) for name in measures))
    return Table(title, head, tuple((method, *cells) for method, cells in rows))


def _mean(estimates: dict[str, Estimate], measure: str) -> str:
    found, digits = estimates.get(measure), _DIGITS.get(measure, 4)
    if found is None:
        return _ABSENT
    value = f"{found.value:.{digits}f}"
    return f"{value} ±{found.half_width:.{digits}f}" if math.isfinite(found.half_width) else value


def _ratio(section: Section, ratios: dict[str, float], measure: str) -> str:
    if measure not in ratios:
        return _ABSENT
    return f"{ratios[measure]:+.4f}" if measure in GAINS[section.kind] else f"×{ratios[measure]:.3f}"


def _interval(found: Estimate | None, measure: str) -> str:
    if found is None:
        return _ABSENT
    digits = _DIGITS.get(measure, 4)
    value = f"{found.value:+.{digits}f}"
    return f"{value} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]" if math.isfinite(found.low) else value


def as_json(evaluation: Evaluation) -> str:
    """Everything that was found, but the pictures. What could not be had is null."""
    contest = evaluation.contest
    record = {
        "settings": asdict(evaluation.settings),
        "weights_sha256": contest.generators,
        "data": {tables.name: tables.faces for tables in contest.sets},
        "sections": [asdict(section) for section in evaluation.sections],
    }
    return json.dumps(_without_nan(record), indent=2, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(its) for key, its in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(its) for its in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
