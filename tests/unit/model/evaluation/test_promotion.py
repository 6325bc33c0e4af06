"""Promotion: what decides, and what it says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mien.model.errors import SettingsError
from mien.model.evaluation.promotion import Candidate, Champion, Decision, decide
from mien.model.evaluation.promotion_settings import MEASURES, Baseline, Measure, PromotionSettings

GOOD: dict[Measure, float] = {
    "l1": 0.06, "ssim": 0.7, "mouth_l1": 0.05, "eye_l1": 0.05, "nme": 0.04, "found": 1.0, "sharpness_gap": 0.4,
    "identity_distance": 0.3, "other_similarity": 0.6, "cross_identity_distance": 0.4, "cross_other_similarity": 0.5,
    "leak": 0.1,
}  # fmt: skip
SIMPLE: dict[Baseline, dict[Measure, float]] = {
    "copy": GOOD | {"l1": 0.1, "sharpness_gap": 0.2},
    "warp": GOOD | {"l1": 0.07, "sharpness_gap": 0.2},
}
SETTINGS = PromotionSettings()
ENOUGH = SETTINGS.min_updates


def judged(new: dict[Measure, float], champion: Champion | None = None, updates: int = ENOUGH) -> Decision:
    return decide(Candidate(new, updates), SIMPLE, champion, SETTINGS)


def against(new: dict[Measure, float], behind: dict[Measure, float] | None = None) -> Decision:
    return judged(new, Champion(GOOD, behind or {}))


# --- The first champion ----------------------------------------------------------------------------------------------


def test_a_first_one_that_beats_what_needs_no_training_is_champion() -> None:
    decision = judged(GOOD)
    assert decision.promoted
    assert decision.reason == "it is the first and better than copy and warp"


def test_a_washed_out_training_of_seven_updates_is_not_and_says_why_in_one_line() -> None:
    washed_out = GOOD | {"l1": 0.13, "sharpness_gap": 1.5}
    decision = judged(washed_out, updates=7)
    assert not decision.promoted
    assert "\n" not in decision.reason
    for part in (
        f"it had 7 updates, and min_updates is {ENOUGH}",
        "l1 0.1300 against copy's 0.1000: not better",
        "l1 0.1300 against warp's 0.0700: not better",
        "sharpness_gap 1.5000 against copy's 0.2000",
    ):
        assert part in decision.reason


def test_who_is_worse_by_many_measures_is_told_the_figures_of_one_and_the_names_of_the_others() -> None:
    decision = against(GOOD | {"l1": 0.1, "ssim": 0.4, "mouth_l1": 0.2, "nme": 0.2})
    assert not decision.promoted
    assert decision.reason.count("against the champion's") == 2
    assert decision.reason.endswith("(allowed: 0.0050 worse): too much worse, as by mouth_l1, nme")


@pytest.mark.parametrize("l1", [0.07, 0.08, math.nan, math.inf, -math.inf])
def test_who_does_not_beat_the_warp_is_not_champion_though_it_be_the_only_one(l1: float) -> None:
    assert not judged(GOOD | {"l1": l1}).promoted


def test_blur_and_noise_are_held_against_what_needs_no_training() -> None:
    limit = 0.2 + SETTINGS.max_blur
    assert judged(GOOD | {"sharpness_gap": limit - 0.01}).promoted
    decision = judged(GOOD | {"sharpness_gap": limit + 0.01})
    assert not decision.promoted
    assert f"sharpness_gap {limit + 0.01:.4f} against copy's 0.2000" in decision.reason


def test_one_update_less_than_the_floor_is_too_few() -> None:
    assert judged(GOOD, updates=ENOUGH).promoted
    assert judged(GOOD, updates=ENOUGH - 1).reason.startswith(f"it had {ENOUGH - 1} updates")


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_could_be_measured_and_is_no_number_counts_against_it(measure: Measure, value: float) -> None:
    decision = judged(GOOD | {measure: value})
    assert not decision.promoted
    assert f"it has no finite {measure}" in decision.reason


def test_what_could_not_be_measured_of_anybody_is_no_hindrance() -> None:
    absent: dict[Measure, float] = {"other_similarity": math.nan, "leak": math.nan}
    simple = {name: values | absent for name, values in SIMPLE.items()}
    assert decide(Candidate(GOOD | absent, ENOUGH), simple, None, SETTINGS).promoted


def test_without_baselines_the_first_is_it() -> None:
    settings = replace(SETTINGS, baselines=(), min_updates=1)
    decision = decide(Candidate(GOOD, 1), {}, None, settings)
    assert (decision.promoted, decision.reason) == (True, "it is the first")


# --- Against a champion ----------------------------------------------------------------------------------------------


def test_better_by_the_metric_and_equal_elsewhere_wins() -> None:
    decision = against(GOOD | {"l1": 0.059})
    assert decision.promoted
    assert decision.reason.startswith("l1 0.0590 against the champion's 0.0600: better, better than copy and warp, and")
    assert [c.measure for c in decision.comparisons if c.other == "the champion"] == list(MEASURES)


@pytest.mark.parametrize("l1", [0.06, 0.065])
def test_not_better_by_the_metric_does_not_win(l1: float) -> None:
    decision = against(GOOD | {"l1": l1, "ssim": 0.9})
    assert not decision.promoted
    assert "the champion's 0.0600: not better" in decision.reason


def test_a_champion_that_a_person_chose_gives_way_only_to_one_that_beats_the_warp() -> None:
    chosen = Champion(GOOD | {"l1": 0.2})
    assert "against warp's 0.0700: not better" in judged(GOOD | {"l1": 0.08}, chosen).reason
    assert judged(GOOD, chosen).promoted


MARGINS: list[tuple[Measure, float, float]] = [
    ("ssim", 0.696, 0.694),
    ("mouth_l1", 0.0509, 0.0511),
    ("eye_l1", 0.0509, 0.0511),
    ("nme", 0.0419, 0.0421),
    ("found", 0.991, 0.989),
    ("sharpness_gap", 0.449, 0.451),
    ("identity_distance", 0.308, 0.310),
    ("other_similarity", 0.581, 0.579),
    ("cross_identity_distance", 0.411, 0.413),
    ("cross_other_similarity", 0.481, 0.479),
    ("leak", 0.119, 0.121),
]


@pytest.mark.parametrize(("measure", "within", "beyond"), MARGINS)
def test_each_margin_holds(measure: Measure, within: float, beyond: float) -> None:
    better = GOOD | {"l1": 0.05}
    assert against(better | {measure: within}).promoted
    refused = against(better | {measure: beyond})
    assert not refused.promoted
    assert f"{measure} {beyond:.4f} against the champion's {GOOD[measure]:.4f}" in refused.reason


def test_what_only_the_champion_lacks_is_no_hindrance() -> None:
    simple = {name: values | {"leak": math.nan} for name, values in SIMPLE.items()}
    champion = Champion(GOOD | {"leak": math.nan})
    assert decide(Candidate(GOOD | {"l1": 0.05}, ENOUGH), simple, champion, SETTINGS).promoted


# --- Margins do not add up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("measure", "within", "_"), MARGINS)
def test_ten_promotions_each_at_the_margin_are_stopped(measure: Measure, within: float, _: float) -> None:
    """Each loses what one promotion may lose against the champion before it: the first may, the others are too much."""
    step, champion, promoted = within - GOOD[measure], Champion(GOOD), 0
    for turn in range(1, 11):
        new = {**champion.values, "l1": 0.06 - 0.001 * turn, measure: champion.values[measure] + step}
        decision = judged(new, champion)
        if decision.promoted:
            promoted, champion = promoted + 1, Champion(new, decision.behind)
        else:
            assert f"against the best champion's {GOOD[measure]:.4f}" in decision.reason
    assert promoted == 1
    assert abs(champion.values[measure] - GOOD[measure]) <= abs(step) + 1e-9


def test_small_losses_add_up_though_each_evaluation_has_other_pairs() -> None:
    """Each evaluation is of harder pairs, where errors are 1.3 times as large: shares of the best are what adds up."""
    champion, promoted = Champion(GOOD), 0
    for _ in range(10):
        harder = {**champion.values}
        harder["l1"], harder["mouth_l1"] = 1.3 * harder["l1"], 1.3 * harder["mouth_l1"]
        new = {**harder, "l1": 0.99 * harder["l1"], "mouth_l1": 1.005 * harder["mouth_l1"]}
        simple = {name: values | {"l1": 9.0} for name, values in SIMPLE.items()}
        decision = decide(Candidate(new, ENOUGH), simple, Champion(harder, champion.behind), SETTINGS)
        if decision.promoted:
            promoted, champion = promoted + 1, Champion(new, decision.behind)
    assert promoted == 3  # of half a percent each, where two percent are allowed in all: 1.005⁴ is more


def test_a_champion_that_wins_back_what_was_lost_is_the_best_again() -> None:
    decision = against(GOOD | {"l1": 0.05, "mouth_l1": 0.04}, {"mouth_l1": 0.02, "leak": 0.01})
    assert decision.promoted
    assert "mouth_l1" not in decision.behind
    assert decision.behind["leak"] == pytest.approx(0.01)


def test_what_an_evaluation_cannot_measure_stays_as_far_behind_as_it_was() -> None:
    absent: dict[Measure, float] = {"leak": math.nan}
    simple = {name: values | absent for name, values in SIMPLE.items()}
    champion = Champion(GOOD | absent, {"leak": 0.015})
    decision = decide(Candidate(GOOD | absent | {"l1": 0.05}, ENOUGH), simple, champion, SETTINGS)
    assert decision.promoted
    assert decision.behind == {"leak": 0.015}


@pytest.mark.parametrize("change", [{"min_updates": 0}, {"leak": -0.1}, {"max_blur": math.nan}])
def test_settings_out_of_bounds_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        PromotionSettings(**change)  # pyright: ignore[reportArgumentType]
