"""Sheets of pictures: the best, the middle and the worst by a measure, and some that nobody chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from mien.model.images.contact_sheet import sample_grid
from mien.storage import Root
from mien.tasks.evaluate.measure import MeasuredPair
from mien.tasks.evaluate.methods import make_pictures
from mien.tasks.evaluate.results import (
    COPY,
    GENERATED,
    SOURCES_OF,
    SPLINE,
    EvaluationInputs,
    EvaluationPair,
    Kind,
    SheetPlan,
)

ROWS = 6
UNCHOSEN = 20
SOURCES = 4
"""Photos of the person that are shown to have been combined, beside the result from one."""
SAME_BY = ("l1", "mouth_l1", "identity_distance")
CROSS_BY = ("identity_distance", "nme")


def same_person_sheets(split: str, measured: Sequence[MeasuredPair]) -> Iterator[SheetPlan]:
    """Best, median and worst of the evaluated generator by each of `SAME_BY`."""
    for measure in SAME_BY:
        ranked = _ranked(measured, measure)
        middle = max((len(ranked) - ROWS) // 2, 0)
        parts = {"best": ranked[:ROWS], "median": ranked[middle : middle + ROWS], "worst": ranked[::-1][:ROWS]}
        for part, rows in parts.items():
            if rows:
                yield _plan(split, "same", measure, part, rows)


def cross_person_sheets(split: str, measured: Sequence[MeasuredPair]) -> Iterator[SheetPlan]:
    """The worst of the evaluated generator by each of `CROSS_BY`."""
    for measure in CROSS_BY:
        if rows := _ranked(measured, measure)[::-1][:ROWS]:
            yield _plan(split, "cross", measure, "worst", rows)


def unchosen_sheet(split: str, pairs: Sequence[EvaluationPair]) -> Iterator[SheetPlan]:
    """Pairs that ask for much, whatever came of them."""
    if pairs:
        title = f"{split}, two people: {len(pairs)} pairs, unchosen (seeded), a mouth to open or eyes to close"
        yield SheetPlan(f"{split}-cross-unchosen", title, "cross", tuple(pairs), tuple(p.person for p in pairs))


def _ranked(measured: Sequence[MeasuredPair], measure: str) -> list[tuple[float, EvaluationPair]]:
    """The pairs that have the measure, lowest first."""
    values = [(row.methods[GENERATED].values.get(measure, np.nan), row.pair) for row in measured]
    return sorted((row for row in values if np.isfinite(row[0])), key=lambda row: row[0])


def _plan(split: str, kind: Kind, measure: str, part: str, rows: list[tuple[float, EvaluationPair]]) -> SheetPlan:
    sort, about = ("", "one person") if kind == "same" else ("cross-", "two people")
    return SheetPlan(
        name=f"{split}-{sort}{measure.replace('_', '-')}-{part}",
        title=f"{split}, {about}: {part} by {measure.replace('_', ' ')}",
        kind=kind,
        pairs=tuple(pair for _, pair in rows),
        captions=tuple(f"{pair.person}: {value:.4f}" for value, pair in rows),
    )


def draw_sheets(
    root: Root, inputs: EvaluationInputs, plans: Sequence[SheetPlan]
) -> Iterator[tuple[SheetPlan, np.ndarray]]:
    """Each plan with its sheet (uint8, height × width × 3): a row per pair; source, target or driver, what each method
    made of them.

    The pictures are made anew, which takes less than keeping those of all pairs until it is known which are shown. A
    pair that several sheets show (one may be the worst by each measure) is made once, and kept until the last of them.
    """
    left = Counter((plan.kind, pair) for plan in plans for pair in plan.pairs)
    made: dict[tuple[Kind, EvaluationPair], dict[str, np.ndarray]] = {}
    for plan in plans:
        keys: list[tuple[Kind, EvaluationPair]] = [(plan.kind, pair) for pair in plan.pairs]
        lacking = [pair for kind, pair in dict.fromkeys(keys) if (kind, pair) not in made]
        made |= {
            (plan.kind, pair): row for pair, row in zip(lacking, _rows(root, inputs, plan.kind, lacking), strict=True)
        }
        yield plan, _sheet([made[key] for key in keys])
        left.subtract(keys)
        made = {key: row for key, row in made.items() if left[key]}


def _rows(
    root: Root, inputs: EvaluationInputs, kind: Kind, pairs: Sequence[EvaluationPair]
) -> Iterator[dict[str, np.ndarray]]:
    """The pictures of each pair by what they show."""
    if not pairs:
        return
    pictures = make_pictures(root, inputs, kind, pairs, [SOURCES])
    shown = {"source": pictures.sources, "target" if kind == "same" else "driver": pictures.targets}
    # A copy is the source itself, and the spline is all but the same picture as the better warp.
    shown |= {method: images for method, images in pictures.results.items() if method not in (COPY, SPLINE)}
    for number in range(len(pairs)):
        yield {name: images[number] for name, images in shown.items()}


def _sheet(rows: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    names, several = max(rows, key=len), SOURCES_OF.format(SOURCES)
    # Of people with one photo alone nothing else was made: from that one, it is the same.
    columns = [np.stack([row[GENERATED if name not in row else name] for row in rows]) for name in names]
    return sample_grid(columns, [f"{SOURCES} sources" if name == several else name for name in names])
