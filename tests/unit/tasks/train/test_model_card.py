"""The model card fits on a screen, and says what was measured."""

from __future__ import annotations

import re

from mien.model.detection.licences import CC0, WeightsLicence
from mien.tasks.evaluate.results import Evaluation
from mien.tasks.train.model_card import CardFacts, headline_table, model_card
from tests.unit.tasks.evaluate.test_evaluate import _evaluation

FACTS = CardFacts("motion", 128, "run1", 4, 40, ("six", "others"), {"embedding.dat": CC0})


def card(facts: CardFacts = FACTS, evaluation: Evaluation | None = None) -> str:
    return model_card(facts, evaluation or _evaluation(), "models:/mien-generator/7")


def test_it_fits_on_a_screen() -> None:
    lines = card().splitlines()
    assert len(lines) <= 36
    # Of what is not wrapped: a line of code must not be cut off.
    assert (
        max(len(line) for block in re.findall(r"```\w+\n(.*?)```", card(), re.DOTALL) for line in block.splitlines())
        <= 125
    )


def test_three_figures_stand_beside_those_of_warp_and_copy() -> None:
    head, _, *rows = headline_table(_evaluation()).splitlines()
    assert head == "| 3 people never trained on, 6 pairs | this generator&emsp; | `warp`&emsp;&emsp; | `copy` |"
    assert rows[0] == "| likeness to the real photo: L1 ↓ | 0.200 | 0.250 | 0.400 |"
    assert len(rows) == 3
    assert rows[2].endswith("| – | – | – |")  # which these pairs were not measured for


def test_it_calls_the_version_that_it_is_of() -> None:
    text = card()
    assert text.count("models:/mien-generator/7") == 2
    assert "champion" not in text  # the alias may pass to another


def test_terms_name_what_excludes_commercial_use() -> None:
    assert "allow commercial use" in card()
    facts = CardFacts(
        "motion", 128, "run1", 4, 40, ("six",), {"points.dat": WeightsLicence("research", commercial=False)}
    )
    assert "no commercial use, which `points.dat` excludes" in card(facts)
