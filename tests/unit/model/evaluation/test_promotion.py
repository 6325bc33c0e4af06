"""Promotion: what decides, and what it says."""

from __future__ import annotations

import math

import pytest

from mien.model.evaluation.promotion import MEASURES, Measure, PromotionSettings, decide

CHAMPION: dict[Measure, float] = {
    "l1": 0.06, "ssim": 0.7, "mouth_l1": 0.05, "eye_l1": 0.05, "nme": 0.04, "found": 1.0,
    "identity_distance": 0.3, "cross_identity_distance": 0.4, "leak": 0.1,
}  # fmt: skip
SETTINGS = PromotionSettings()


def test_without_a_champion_the_first_is_it() -> None:
    assert decide(CHAMPION, None, SETTINGS).promoted


def test_better_by_the_metric_and_equal_elsewhere_wins() -> None:
    decision = decide(CHAMPION | {"l1": 0.059}, CHAMPION, SETTINGS)
    assert decision.promoted
    assert decision.reason.startswith("l1 0.0590 against the champion's 0.0600: better")
    assert [c.measure for c in decision.comparisons] == list(MEASURES)


@pytest.mark.parametrize("l1", [0.06, 0.07, math.nan])
def test_not_better_by_the_metric_does_not_win(l1: float) -> None:
    decision = decide(CHAMPION | {"l1": l1, "ssim": 0.9}, CHAMPION, SETTINGS)
    assert not decision.promoted
    assert "not better" in decision.reason


@pytest.mark.parametrize(
    ("measure", "within", "beyond"),
    [
        ("ssim", 0.696, 0.694),
        ("mouth_l1", 0.0509, 0.0511),
        ("eye_l1", 0.0509, 0.0511),
        ("nme", 0.0419, 0.0421),
        ("found", 0.991, 0.989),
        ("identity_distance", 0.308, 0.310),
        ("cross_identity_distance", 0.411, 0.413),
        ("leak", 0.119, 0.121),
    ],
)
def test_each_margin_holds(measure: Measure, within: float, beyond: float) -> None:
    better = CHAMPION | {"l1": 0.05}
    assert decide(better | {measure: within}, CHAMPION, SETTINGS).promoted
    refused = decide(better | {measure: beyond}, CHAMPION, SETTINGS)
    assert not refused.promoted
    assert f"loses by {measure} {beyond:.4f}" in refused.reason


def test_what_only_the_new_one_lacks_counts_against_it() -> None:
    better = CHAMPION | {"l1": 0.05}
    assert not decide(better | {"nme": math.nan}, CHAMPION, SETTINGS).promoted
    assert decide(better | {"leak": math.nan}, CHAMPION | {"leak": math.nan}, SETTINGS).promoted
