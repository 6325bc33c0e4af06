"""The evaluation as tables: markdown for terminal, model card and run; JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from mien.model.evaluation.bootstrap import Estimate
from mien.tasks.evaluate.results import ASKED, COPY, GENERATED, PHOTO, SOURCES_OF, SPLINE, Evaluation, Kind, Section
from mien.tasks.evaluate.summary import GAINS, MEASURES, RATIOS

_TITLES = {
    "identity_similarity": "identity", "identity_distance": "id dist", "driver_distance": "driver dist",
    "mouth_l1": "mouth l1", "eye_l1": "eye l1", "mouth_reached": "mouth reached", "eyes_reached": "eyes reached",
    "expression_reached": "reached", "sharpness_gap": "sharpness gap", "other_similarity": "identity, 2nd",
}  # fmt: skip
_DIGITS = {
    "psnr": 2,
    "sharpness": 3,
    "sharpness_gap": 3,
    "leak": 3,
    "found": 3,
    "mouth_reached": 3,
    "eyes_reached": 3,
    "expression_reached": 3,
}
_ABSENT = "–"
_BETTER = {
    "l1": "↓", "mouth_l1": "↓", "eye_l1": "↓", "ssim": "↑", "psnr": "↑", "nme": "↓", "identity_similarity": "↑",
    "identity_distance": "↓", "leak": "↓", "found": "↑", "sharpness_gap": "↓", "other_similarity": "↑",
}  # fmt: skip
"""Where one way is better; of what an expression reaches, and of sharpness, 1 is best."""

_KINDS: dict[Kind, str] = {"same": "one person", "cross": "two people"}
_BRIEF: dict[Kind, tuple[str, ...]] = {
    "same": ("l1", "mouth_l1", "ssim", "sharpness", "nme", "identity_distance"),
    "cross": ("nme", "identity_distance", "leak", "expression_reached"),
}

V = TypeVar("V")


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
    """All tables as markdown, and what is to be said of the people."""
    return "\n\n".join([*(table.markdown() for table in tables(evaluation)), *evaluation.notes])


def as_brief(evaluation: Evaluation) -> str:
    """The measures that one looks at first, as markdown: a table for each split, its values without their spread."""
    splits = dict.fromkeys(section.split for section in evaluation.sections)
    shown = [*(_brief(evaluation, split) for split in splits), *map(_brief_of_sources, evaluation.several)]
    return "\n\n".join([*(table.markdown() for table in shown), *evaluation.notes])


def _brief(evaluation: Evaluation, split: str) -> Table:
    sections = [section for section in evaluation.sections if section.split == split]
    methods = list(dict.fromkeys(method for section in sections for method in section.means))
    methods = [method for method in methods if method not in (PHOTO, ASKED)]
    rows: list[tuple[str, ...]] = []
    for section in sections:
        for name in (name for name in _BRIEF[section.kind] if name in section.means[GENERATED]):
            found = [section.means.get(method, {}).get(name) for method in methods]
            values = (_ABSENT if each is None else f"{each.value:.{_DIGITS.get(name, 4)}f}" for each in found)
            rows.append((f"{_KINDS[section.kind]}: {_title(name)}", *values))
    people = max(section.people for section in sections)
    return Table(f"{split}: {people} people never trained on", ("", *methods), tuple(rows))


def tables(evaluation: Evaluation) -> list[Table]:
    """For each split and kind of pairs: the means, what they are against the spline, the paired differences. Then the
    same-person pairs by the number of photos that they were made from."""
    of_pairs = [table for section in evaluation.sections for table in _of_section(section)]
    return of_pairs + [table for section in evaluation.several for table in _of_sources(section)]


def _of_section(section: Section) -> Iterator[Table]:
    """A row per measure, a column per method: narrow enough for a terminal."""
    about = f"{section.split}, {_KINDS[section.kind]}: {section.pairs} pairs, {section.people} people"
    measures = MEASURES[section.kind]
    yield _table(f"{about}; mean ±95%", measures, section.means, _mean)
    compared = (*RATIOS[section.kind], *GAINS[section.kind])
    ratios = {f"{method} / {SPLINE}": found for method, found in section.ratios.items() if method != COPY}
    yield _table(f"{about}; × of {SPLINE} (SSIM: +)", compared, ratios, _ratio)
    differences = {f"{GENERATED} − {method}": found for method, found in section.differences.items() if found}
    yield _table(f"{about}; difference on the same pairs [95%]", measures, differences, _interval)


def _of_sources(section: Section) -> Iterator[Table]:
    about = f"{section.split}, one person, from several photos: {section.pairs} pairs, {section.people} people"
    yield _table(f"{about}; mean ±95%", MEASURES["same"], _by_count(section.means), _mean)
    compared = (*RATIOS["same"], *GAINS["same"])
    yield _table(f"{about}; × of {SPLINE} (SSIM: +)", compared, _by_count(section.ratios), _ratio)


def _brief_of_sources(section: Section) -> Table:
    means = {
        photos: {name: found for name, found in own.items() if name in _BRIEF["same"]}
        for photos, own in _by_count(section.means).items()
    }
    title = f"{section.split}, one person, from several photos: {section.pairs} pairs"
    return _table(title, _BRIEF["same"], means, lambda name, found: f"{found.value:.{_DIGITS.get(name, 4)}f}")


def _by_count(by_method: Mapping[str, Mapping[str, V]]) -> dict[str, Mapping[str, V]]:
    """What the evaluated generator reaches, by the number of photos that it was given."""
    prefix = SOURCES_OF.format("")
    several = {name.removeprefix(prefix): own for name, own in by_method.items() if name.startswith(prefix)}
    return {
        f"{count} photo{'' if count == '1' else 's'}": own
        for count, own in {"1": by_method[GENERATED], **several}.items()
    }


def _table(
    title: str,
    measures: Sequence[str],
    columns: Mapping[str, Mapping[str, V]],
    shown: Callable[[str, V], str],
) -> Table:
    rows = [
        (_title(name), *(shown(name, column[name]) if name in column else _ABSENT for column in columns.values()))
        for name in measures
        if any(name in column for column in columns.values())
    ]
    return Table(title, ("", *columns), tuple(rows))


def _title(measure: str) -> str:
    better = _BETTER.get(measure)
    return _TITLES.get(measure, measure) + (f" {better}" if better else "")


def _mean(measure: str, found: Estimate) -> str:
    digits = _DIGITS.get(measure, 4)
    value = f"{found.value:.{digits}f}"
    return f"{value} ±{found.half_width:.{digits}f}" if math.isfinite(found.half_width) else value


def _ratio(measure: str, ratio: float) -> str:
    return f"×{ratio:.3f}" if measure in RATIOS["same"] else f"{ratio:+.4f}"


def _interval(measure: str, found: Estimate) -> str:
    digits = _DIGITS.get(measure, 4)
    value = f"{found.value:+.{digits}f}"
    return f"{value} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]" if math.isfinite(found.low) else value


def as_json(evaluation: Evaluation) -> str:
    """Everything that was found, but the pictures. What could not be had is null."""
    inputs = evaluation.inputs
    record = {
        "settings": asdict(evaluation.settings),
        "weights_sha256": inputs.generators,
        "data": {tables.name: tables.faces for tables in inputs.sets},
        "notes": evaluation.notes,
        "sections": [asdict(section) for section in evaluation.sections],
        "several": [asdict(section) for section in evaluation.several],
    }
    return json.dumps(_without_nan(record), indent=2, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
