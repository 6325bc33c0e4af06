"""Sheets of pictures: each pair is made once, and shown in the row where its plan has it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.contact_sheet import sample_grid
from mien.storage import Root
from mien.tasks.evaluate import sheets
from mien.tasks.evaluate.results import (
    COPY,
    GENERATED,
    SPLINE,
    WARP,
    EvaluationInputs,
    EvaluationPair,
    Kind,
    SheetPlan,
)
from mien.tasks.evaluate.sheets import draw_sheets

ROOT, INPUTS = Root("memory://sheets"), EvaluationInputs("a" * 64, (), (), RetargetSettings(), None)
METHODS = (GENERATED, SPLINE, WARP, COPY)
FIRST, SECOND, THIRD = (EvaluationPair(f"{n}a", f"{n}b", f"person {n}", others=("x",) * (n == 0)) for n in range(3))


def picture(kind: Kind, pair: EvaluationPair, what: str) -> np.ndarray:
    """Of one colour, which tells what it shows."""
    return np.random.default_rng(list(f"{kind}{pair.source}{what}".encode())).integers(0, 255, (8, 8, 3), np.uint8)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Kind, str]]:
    """The pairs whose pictures were made, in this order. Only people with further photos have the column of several."""
    seen: list[tuple[Kind, str]] = []

    def make(_root: Root, _inputs: Any, kind: Kind, pairs: Sequence[EvaluationPair], several: Sequence[int]) -> Any:
        seen.extend((kind, pair.source) for pair in pairs)
        methods = [*METHODS, *(f"sources_{n}" for n in several if any(pair.others for pair in pairs))]
        shown = {what: np.stack([picture(kind, p, what) for p in pairs]) for what in ("source", "target", *methods)}
        results = {method: shown[method] for method in methods}
        return SimpleNamespace(sources=shown["source"], targets=shown["target"], results=results)

    monkeypatch.setattr(sheets, "make_pictures", make)
    return seen


def plan(name: str, kind: Kind, *pairs: EvaluationPair) -> SheetPlan:
    return SheetPlan(name, name, kind, pairs, tuple(pair.person for pair in pairs))


def expected(kind: Kind, pairs: Sequence[EvaluationPair], columns: dict[str, list[str]]) -> np.ndarray:
    """The sheet whose columns show this in their rows."""
    stacks = [
        np.stack([picture(kind, *row) for row in zip(pairs, of_rows, strict=True)]) for of_rows in columns.values()
    ]
    return sample_grid(stacks, list(columns))


def test_a_pair_of_several_sheets_is_made_once_and_is_in_its_row_of_each(made: list[tuple[Kind, str]]) -> None:
    plans = [plan("best", "same", SECOND, THIRD), plan("worst", "same", THIRD, SECOND), plan("all", "cross", SECOND)]
    drawn = list(draw_sheets(ROOT, INPUTS, plans))
    assert [each for each, _ in drawn] == plans
    assert made == [("same", "1a"), ("same", "2a"), ("cross", "1a")]
    for (each, sheet), target in zip(drawn, ("target", "target", "driver"), strict=True):
        of_rows = {name: [what] * len(each.pairs) for name, what in (("source", "source"), (target, "target"))}
        of_rows |= {method: [method] * len(each.pairs) for method in (GENERATED, WARP)}
        assert np.array_equal(sheet, expected(each.kind, each.pairs, of_rows))


def test_a_pair_twice_on_a_sheet_is_made_once(made: list[tuple[Kind, str]]) -> None:
    [(_, sheet)] = draw_sheets(ROOT, INPUTS, [plan("twice", "same", SECOND, SECOND)])
    assert len(made) == 1
    assert np.array_equal(sheet, expected("same", [SECOND] * 2, {name: [what] * 2 for name, what in (
        ("source", "source"), ("target", "target"), (GENERATED, GENERATED), (WARP, WARP))}))  # fmt: skip


def test_who_has_one_photo_has_the_result_from_it_beside_those_of_several(made: list[tuple[Kind, str]]) -> None:
    plans = [plan("first", "same", SECOND), plan("second", "same", FIRST, SECOND)]
    drawn = dict(draw_sheets(ROOT, INPUTS, plans))
    assert len(made) == 2
    columns = {"source": ["source"] * 2, "target": ["target"] * 2, GENERATED: [GENERATED] * 2, WARP: [WARP] * 2}
    columns["4 sources"] = ["sources_4", GENERATED]
    assert np.array_equal(drawn[plans[1]], expected("same", [FIRST, SECOND], columns))
