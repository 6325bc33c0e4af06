from __future__ import annotations

import numpy as np
import pytest

from mien.model.evaluation.paired import Effect
from mien.tasks.experiment.results import Curve, ResultTable
from mien.tasks.experiment.summary import as_markdown, beats, curve_as_markdown, does_not_beat, effects_table

PEOPLE = np.repeat(np.arange(20), 5)


def table(**shares: float) -> ResultTable:
    """Arms of which so large a share of the probes is named; what a lower arm has right a higher one has."""
    ranks = np.random.default_rng(0).permutation(len(PEOPLE))
    outcomes = {arm: np.tile(ranks < share * len(PEOPLE), (3, 1)).astype(np.float64) for arm, share in shares.items()}
    bases = {arm: ["usual"] for arm in shares if arm != "usual"}
    return effects_table("cnn", "A recogniser", "rank-1, %", outcomes, bases, PEOPLE, 0)


def test_a_clear_gain_holds_and_a_small_one_falls_short_of_the_aim() -> None:
    found = table(usual=0.5, generated=0.8, warp=0.52)
    assert beats(found, "generated", "usual", 0.03).holds is True
    assert beats(found, "warp", "usual", 0.03).holds is False
    assert "+30.0 (" in beats(found, "generated", "usual", 0.03).said


def test_a_loss_never_holds_and_a_control_that_gains_is_told() -> None:
    found = table(usual=0.5, generated=0.3, copy=0.9, placebo=0.5)
    assert beats(found, "generated", "usual", 0.0).holds is False
    assert does_not_beat(found, "copy", "usual").holds is False
    assert does_not_beat(found, "placebo", "usual").holds is True
    assert does_not_beat(found, "generated", "usual").holds is True


def test_a_gain_that_many_arms_make_likely_does_not_hold() -> None:
    """With one arm alone the interval is above 0; among thirty that were tried it is what chance gives."""
    ranks = np.random.default_rng(1).random((1, len(PEOPLE)))
    usual = (ranks < 0.5).astype(np.float64)
    better = usual.copy()
    better[:, [0, 5, 10, 15, 20, 25]] = 1.0
    others = {f"arm {n}": usual for n in range(30)}
    bases = {"generated": ["usual"], **{name: ["usual"] for name in others}}
    outcomes = {"usual": usual, "generated": better, **others}
    alone = effects_table("cnn", "", "", {"usual": usual, "generated": better}, bases, PEOPLE, 0)
    among = effects_table("cnn", "", "", outcomes, bases, PEOPLE, 0)
    assert among.rows[1].over["usual"] == alone.rows[1].over["usual"]
    assert among.rows[1].adjusted["usual"] > alone.rows[1].adjusted["usual"]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    found = table(usual=0.5, generated=0.8)
    assert beats(found, "generated", "warp", 0.0).holds is None
    assert does_not_beat(found, "copy", "usual").holds is None
    assert beats(found, "generated", "warp", 0.0).line().startswith("not measured: ")


def test_a_table_in_markdown_has_values_intervals_and_p() -> None:
    lines = as_markdown(table(usual=0.5, generated=0.8))
    assert lines[0] == "|  | rank-1, % | over usual |"
    assert lines[2].startswith("| usual | 50.0 (")
    assert lines[2].endswith("|  |")
    assert "p 0.00" in lines[3]


@pytest.mark.parametrize("people", [np.zeros(100, int)])
def test_one_person_has_no_interval_and_no_verdict(people: np.ndarray) -> None:
    outcomes = {"usual": np.zeros((1, 100)), "generated": np.ones((1, 100))}
    found = effects_table("cnn", "", "rank-1, %", outcomes, {"generated": ["usual"]}, people, 0)
    assert beats(found, "generated", "usual", 0.0).holds is None
    assert "no interval" in as_markdown(found)[3]


def test_a_curve_is_a_table_with_a_column_for_each_point() -> None:
    five, twenty = Effect(0.702, 0.624, 0.776, np.nan), Effect(0.781, 0.716, 0.841, np.nan)
    curve = Curve("dose", "Rank-1", "faces", "%", {"generated": ((5.0, five), (20.0, twenty)), "warp": ((20.0, five),)})
    assert curve_as_markdown(curve) == [
        "| faces | 5 | 20 |",
        "|---|---|---|",
        "| generated | 70.2 (62.4 to 77.6) | 78.1 (71.6 to 84.1) |",
        "| warp |  | 70.2 (62.4 to 77.6) |",
    ]
