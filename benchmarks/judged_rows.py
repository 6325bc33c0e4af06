"""The rows of `benchmarks.judged`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.judged_measures import AREAS
from benchmarks.judged_results import LARGE_PX, SMALL_PX, Part, Results


@dataclass(frozen=True)
class Row:
    """A measure, and what is aimed at."""

    title: str
    aim: str
    measure: Callable[[Results], float]


def rows(second_embedder: bool) -> Iterator[Row]:
    """In the order of the table."""
    yield Row("one person: L1, × of the spline", "≤ 0.70", lambda its: its.pixels("l1"))
    yield Row("one person: mouth L1, × of the spline", "≤ 0.68", lambda its: its.pixels("mouth_l1"))
    yield Row("one person: eye L1, × of the spline", "≤ 0.72", lambda its: its.pixels("eye_l1"))
    yield Row("one person: SSIM, + over the spline", "≥ 0.08", lambda its: its.pixels("ssim"))
    for side in (SMALL_PX, LARGE_PX):
        for area in AREAS:
            aim = "0.85 to 1.1" if area == "face" else ""
            yield Row(f"sharpness, {area}, {side} px", aim, lambda its, area=area, side=side: its.sharpness(area, side))
        yield Row(f"told from photos, AUC, {side} px", "≤ 0.80", lambda its, side=side: its.told_from_photos(side))
    yield from _expressions()
    yield Row("chroma of results of grey sources, of 255", "≤ 1", lambda its: its.chroma())
    yield Row("one person: mouths that open, greenish", "", lambda its: its.greenish())
    yield Row("two people: leak", "≤ 0.01", lambda its: its.whose(its.judges.mesh).leak)
    yield Row("two people: taken for the source's person", "≥ 0.98", lambda its: its.whose(its.judges.mesh).kept)
    if second_embedder:
        yield Row("leak, second embedder", "≤ 0.01", lambda its: its.whose(its.judges.embedder).leak)
        yield Row("taken for the person, second embedder", "≥ 0.98", lambda its: its.whose(its.judges.embedder).kept)
    yield Row(f"faces/s of one processor, {SMALL_PX} px", "", lambda its: its.rate(SMALL_PX))
    yield Row(f"rate at {LARGE_PX} px, × of that", "≥ 0.6", lambda its: its.rate(LARGE_PX) / its.rate(SMALL_PX))


def _expressions() -> Iterator[Row]:
    def reached(who: Literal["one", "two"], part: Part, by: Literal["mesh", "points"]) -> Callable[[Results], float]:
        return lambda its: its.reached(getattr(its.tasks, who), part, getattr(its.judges, by))

    yield Row("two people: change of the mouth reached", "≥ 0.90", reached("two", "mouth", "mesh"))
    yield Row("two people: change of the lids reached", "≥ 0.85", reached("two", "eyes", "mesh"))
    yield Row("one person: change of the mouth reached", "", reached("one", "mouth", "mesh"))
    yield Row("one person: change of the lids reached", "", reached("one", "eyes", "mesh"))
    yield Row("one person: mouth, by other landmarks", "", reached("one", "mouth", "points"))
    yield Row("one person: lids, by other landmarks", "", reached("one", "eyes", "points"))
    yield Row("one person: shut eyes asked that are shut", "≥ 0.80", lambda its: its.shut(its.tasks.shut_one))
    yield Row("two people: shut eyes asked that are shut", "≥ 0.80", lambda its: its.shut(its.tasks.shut_two))


def column(results: Results, asked: list[Row]) -> dict[str, float]:
    """The measures of a way by title."""
    return {row.title: row.measure(results) for row in asked}


def table(asked: list[Row], columns: dict[str, dict[str, float]]) -> Iterator[str]:
    """Lines of markdown: a row for each measure, a column for each way."""
    yield f"| | {' | '.join(columns)} | aim |"
    yield "|---" * (len(columns) + 2) + "|"
    for row in asked:
        cells = (_cell(values[row.title]) for values in columns.values())
        yield f"| {row.title} | {' | '.join(cells)} | {row.aim} |"


def _cell(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
