"""Evaluation: which pairs are measured, and what becomes of the measures. On numbers made up for the purpose."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.model.evaluation.promotion import Decision
from mien.model.evaluation.promotion_settings import PromotionSettings
from mien.model.expression.retargeting import RetargetSettings
from mien.model.landmarks.reference import reference_shape
from mien.tasks.evaluate import EvaluationSettings, as_brief, as_json, as_table
from mien.tasks.evaluate.measure import Measured, MeasuredPair
from mien.tasks.evaluate.pairs import asks_much, cross_person, same_person
from mien.tasks.evaluate.results import Evaluation, EvaluationInputs, EvaluationPair
from mien.tasks.evaluate.sheets import cross_person_sheets, same_person_sheets
from mien.tasks.evaluate.summary import summarise, summarise_sources
from mien.tasks.generator.weights import RegisteredModel, short_name
from mien.tasks.train.promote import Rival, as_text, decide_promotion, promotion_tags

PEOPLE = ("ann", "ben", "cem")
ROWS = [{"face_id": f"{name}{n}", "identity": name, "split": "val"} for name in PEOPLE for n in range(4)]
SHAPE = reference_shape().astype(np.float32)


def test_same_person_pairs_take_turns_over_people() -> None:
    pairs = same_person(ROWS, 9, seed=0)
    assert pairs == same_person(ROWS, 9, seed=0)
    assert [pair.person for pair in pairs[:3]] == ["ann", "ben", "cem"]
    assert all(pair.source[:3] == pair.target[:3] == pair.person for pair in pairs)
    assert all(pair.source != pair.target for pair in pairs)
    assert same_person(ROWS[::4], 9, seed=0) == []


def test_cross_person_pairs_take_turns_over_people_and_drivers() -> None:
    pairs = cross_person(ROWS, 12, seed=0)
    assert pairs == cross_person(ROWS, 12, seed=0)
    assert pairs != cross_person(ROWS, 12, seed=1)
    assert [(pair.person, pair.target[:3]) for pair in pairs[:6]] == [
        ("ann", "ben"), ("ben", "cem"), ("cem", "ann"), ("ann", "cem"), ("ben", "ann"), ("cem", "ben"),
    ]  # fmt: skip
    for pair in pairs:
        assert pair.photo
        assert pair.photo[:3] == pair.source[:3] == pair.person
        assert pair.photo != pair.source
    assert cross_person(ROWS[:4], 12, seed=0) == []
    assert {pair.photo for pair in cross_person(ROWS[::4], 12, seed=0)} == {None}


def _face(mouth: float, eyes: float) -> dict[str, object]:
    """A row of `faces` with this mouth opening and this eye opening."""
    points = np.zeros((68, 2), np.float32)
    for left, x in ((36, 0.0), (42, 7.0)):  # eyes 3 wide, outer corners 10 apart
        points[left : left + 6] = np.array([[0, 0], [1, -eyes], [2, -eyes], [3, 0], [2, eyes], [1, eyes]]) * [1, 1.5]
        points[left : left + 6, 0] += x
    points[[61, 62, 63], 1], points[[67, 66, 65], 1] = 20, 20 + 10 * mouth
    return {"landmarks_xy": points.ravel(), "landmark_scheme": "ibug68"}


@pytest.mark.parametrize(
    ("source", "driver", "much"),
    [
        ((0.01, 0.3), (0.2, 0.3), True),  # a closed mouth opens
        ((0.05, 0.3), (0.2, 0.3), False),
        ((0.01, 0.3), (0.05, 0.1), True),  # open eyes close
        ((0.01, 0.2), (0.05, 0.1), False),
        ((0.2, 0.3), (0.01, 0.3), False),
    ],
)
def test_telling_pairs_open_a_mouth_or_close_eyes(
    source: tuple[float, float], driver: tuple[float, float], much: bool
) -> None:
    assert asks_much(_face(*source), _face(*driver)) is much


def _same_pairs(l1: dict[str, list[float]]) -> list[MeasuredPair]:
    """Two pairs of each of three people, with these values of L1 and some SSIM by method."""
    return [
        MeasuredPair(
            EvaluationPair(f"{n}a", f"{n}b", PEOPLE[n // 2]),
            SHAPE,
            {m: Measured({"l1": its[n], "ssim": 1 - its[n], "found": 1.0}, SHAPE) for m, its in l1.items()},
        )
        for n in range(6)
    ]


L1 = {
    "generated": [0.1, 0.1, 0.2, 0.2, 0.3, 0.3],
    "v1": [0.2] * 6,
    "spline": [0.2, 0.2, 0.3, 0.3, 0.4, 0.4],
    "warp": [0.2, 0.2, 0.25, 0.25, 0.3, 0.3],
    "copy": [0.4] * 6,
}


def test_means_differences_and_ratios_of_same_person_pairs() -> None:
    section = summarise("val", "same", _same_pairs(L1), seed=0)
    assert (section.pairs, section.people) == (6, 3)
    mean = section.means["generated"]["l1"]
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.2, 0.1, 0.3))
    # Every person is better than warped by the same 0.1: that is certain, whoever is drawn.
    better = section.differences["spline"]["l1"]
    assert (better.value, better.low, better.high) == pytest.approx((-0.1, -0.1, -0.1))
    assert section.ratios["generated"] == pytest.approx({"l1": 0.2 / 0.3, "ssim": 0.1})
    assert section.ratios["warp"] == pytest.approx({"l1": 0.25 / 0.3, "ssim": 0.05})
    assert "spline" not in section.ratios
    assert "nme" not in section.means["generated"]  # nothing had one


def test_what_one_method_lacks_is_left_out_of_the_difference() -> None:
    measured = _same_pairs(L1)
    measured[4].methods["spline"].values.pop("l1")
    section = summarise("val", "same", measured, seed=0)
    assert section.means["spline"]["l1"].value == pytest.approx((0.2 * 2 + 0.3 * 2 + 0.4) / 5)
    assert section.differences["spline"]["l1"].value == pytest.approx(-0.1)


def _cross_pairs(reached: float) -> list[MeasuredPair]:
    asked = np.linspace(-0.2, 0.2, 6)

    def moved(by: float) -> Measured:
        values = {"mouth_asked": 0.0, "eyes_asked": 0.0, "mouth_change": 0.0, "eyes_change": 0.0}
        return Measured(values | {"nme": by, "identity_distance": by, "leak": float(by > 0.35)}, SHAPE)

    out: list[MeasuredPair] = []
    for n in range(6):
        generated = moved(0.1 * n)
        generated.values.update(
            mouth_asked=asked[n], mouth_change=reached * asked[n], eyes_asked=-asked[n], eyes_change=0.01 + 0 * asked[n]
        )
        methods = {"generated": generated, "spline": moved(0.1), "photo": Measured({"identity_distance": 0.3})}
        out.append(MeasuredPair(EvaluationPair(f"{n}a", f"{n}b", PEOPLE[n // 2], f"{n}c"), SHAPE, methods))
    return out


def test_expression_reached_is_the_share_of_the_asked_change() -> None:
    found = summarise("val", "cross", _cross_pairs(0.6), seed=0).means["generated"]
    assert found["mouth_reached"].value == pytest.approx(0.6)
    assert found["eyes_reached"].value == pytest.approx(0, abs=1e-9)  # always the same, whatever is asked
    assert found["expression_reached"].value == pytest.approx(0.3)
    assert found["leak"].value == pytest.approx(2 / 6)
    assert found["spread"].value == pytest.approx(0, abs=1e-6)


def test_another_photo_and_the_asked_shapes_stand_beside_the_results() -> None:
    section = summarise("val", "cross", _cross_pairs(0.6), seed=0)
    assert set(section.means["photo"]) == {"identity_distance"}
    assert set(section.means["asked"]) == {"spread"}
    assert section.differences["photo"]["identity_distance"].value == pytest.approx(0.25 - 0.3)


def _evaluation(l1: dict[str, list[float]] = L1) -> Evaluation:
    sections = (
        summarise("val", "same", _same_pairs(l1), seed=0),
        summarise("val", "cross", _cross_pairs(0.6), seed=0),
    )
    return Evaluation(
        EvaluationInputs("new", (("v1", "old"),), (), RetargetSettings(), None), EvaluationSettings(), sections, ()
    )


def test_metrics_are_named_for_mlflow() -> None:
    metrics = _evaluation().metrics()
    assert metrics["val/generated.l1"] == pytest.approx(0.2)
    assert metrics["val_details/generated.l1_low"] == pytest.approx(0.1)
    assert metrics["val_details/generated_minus_spline.l1_high"] == pytest.approx(-0.1)
    assert metrics["val_details/generated_to_spline.l1"] == pytest.approx(2 / 3)
    assert metrics["val_cross/generated.expression_reached"] == pytest.approx(0.3)
    assert np.isfinite(list(metrics.values())).all()


def test_tables_show_means_ratios_and_differences() -> None:
    text = as_table(_evaluation())
    assert "val, one person: 6 pairs, 3 people" in text
    assert "0.2000 ±0.1000" in text
    assert "×0.667" in text
    assert "-0.1000 [-0.1000, -0.1000]" in text
    widths = {len(line) for line in text.split("\n\n")[1].splitlines()}
    assert len(widths) == 1


def test_the_brief_table_has_a_line_for_each_chosen_measure_and_a_column_for_each_method() -> None:
    title, table = as_brief(_evaluation()).split("\n\n")
    assert title == "**val: 3 people never trained on**"
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert head == ["", "generated", "v1", "spline", "warp", "copy"]
    found = {row[0]: row[1:] for row in rows}
    assert found["one person: l1 ↓"] == ["0.2000", "0.2000", "0.3000", "0.2500", "0.4000"]
    assert found["two people: reached"][0] == "0.300"


SEVERAL = L1 | {"sources_2": [0.1, 0.1, 0.1, 0.1, 0.2, 0.2], "sources_4": [0.1] * 6, "sources_8": [0.1] * 6}


def _measured_from_several() -> list[MeasuredPair]:
    """Of the six pairs, four were also made from several photos."""
    measured = _same_pairs(SEVERAL)
    for row in measured[4:]:
        for count in (2, 4, 8):
            del row.methods[f"sources_{count}"]
    return measured


def test_results_from_several_photos_stand_beside_those_from_one_on_the_same_pairs() -> None:
    measured = _measured_from_several()
    several = summarise_sources("val", measured, seed=0)
    assert several is not None
    assert (several.pairs, several.people, several.group) == (4, 2, "val_sources")
    means = {method: found["l1"].value for method, found in several.means.items()}
    assert (means["generated"], means["sources_2"], means["sources_4"]) == pytest.approx((0.15, 0.1, 0.1))
    assert several.ratios["sources_4"]["l1"] == pytest.approx(0.1 / 0.25)
    assert summarise_sources("val", _same_pairs(L1), seed=0) is None
    # What is said of results from one photo is said of all pairs, and of nothing else.
    assert summarise("val", "same", measured, seed=0) == summarise("val", "same", _same_pairs(L1), seed=0)


def test_the_number_of_photos_is_told_in_tables_metrics_and_json() -> None:
    several = summarise_sources("val", _measured_from_several(), seed=0)
    assert several is not None
    evaluation = replace(_evaluation(), several=(several,))
    metrics = evaluation.metrics()
    assert metrics["val_sources/generated.l1"] == pytest.approx(0.15)
    assert metrics["val_sources/sources_4.l1"] == pytest.approx(0.1)
    assert metrics["val_sources_details/sources_4_to_spline.l1"] == pytest.approx(0.4)
    assert metrics["val/generated.l1"] == pytest.approx(0.2)
    text = as_table(evaluation)
    about = "val, one person, from several photos: 4 pairs, 2 people"
    whole, ratios = (part.split("\n\n")[1].splitlines() for part in text.split(f"**{about}; ")[1:])
    head = [cell.strip() for cell in whole[0].strip("|").split("|")]
    assert head == ["", "1 photo", "2 photos", "4 photos", "8 photos"]
    shown = [cell.strip() for cell in ratios[2].strip("|").split("|")]
    assert shown == ["l1 ↓", "×0.600", "×0.400", "×0.400", "×0.400"]
    brief = as_brief(evaluation).split("**val, one person, from several photos: 4 pairs**")[1]
    values = ["0.1500", "0.1000", "0.1000", "0.1000"]
    assert ["l1 ↓", *values] in [[cell.strip() for cell in row.strip("|").split("|")] for row in brief.splitlines()]
    assert json.loads(as_json(evaluation))["several"][0]["means"]["sources_8"]["l1"]["value"] == pytest.approx(0.1)


def test_json_is_plain_json() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(as_json(_evaluation()), parse_constant=refuse)
    assert found["weights_sha256"] == {"generated": "new", "v1": "old"}
    assert found["sections"][0]["means"]["generated"]["l1"]["value"] == pytest.approx(0.2)


def test_sheets_show_both_ends_and_the_middle() -> None:
    l1 = {"generated": [0.01 * n for n in (5, 0, 4, 2, 1, 3)]}
    measured = _same_pairs(l1) * 3  # 18 pairs: three of each value
    plans = {plan.name: plan for plan in same_person_sheets("val", measured)}
    assert list(plans) == ["val-l1-best", "val-l1-median", "val-l1-worst"]  # no mouth, no identity was measured
    assert [caption.split(": ")[1] for caption in plans["val-l1-best"].captions] == ["0.0000"] * 3 + ["0.0100"] * 3
    assert [caption.split(": ")[1] for caption in plans["val-l1-median"].captions] == ["0.0200"] * 3 + ["0.0300"] * 3
    assert plans["val-l1-worst"].captions[0] == "ann: 0.0500"
    assert [plan.name for plan in cross_person_sheets("val", _cross_pairs(1.0))] == [
        "val-cross-identity-distance-worst",
        "val-cross-nme-worst",
    ]


CHAMPION = Rival(RegisteredModel("models:/mien-generator/1", "run", "old", champion=True), {})
RULES = PromotionSettings()


def test_promotion_compares_with_the_champion_of_the_same_evaluation() -> None:
    assert not decide_promotion(_evaluation(L1 | {"v1": [0.19] * 6}), 500, CHAMPION, RULES).promoted
    better = decide_promotion(_evaluation(L1 | {"v1": [0.3] * 6}), 500, CHAMPION, RULES)
    # The champion has no cross-person measures and no landmarks here: what it lacks is no hindrance.
    assert better.promoted
    assert "l1 0.2000 against the champion's 0.3000" in better.reason
    text = as_text(better, "identity was not judged")
    assert "| l1 " in text
    assert text.endswith(f"Promoted: {better.reason}.\n\nNote: identity was not judged.")


def test_the_first_generator_is_compared_with_what_needs_no_training() -> None:
    first = decide_promotion(_evaluation(), 500, None, RULES)
    assert first.promoted
    assert [(c.measure, c.other) for c in first.comparisons][::2] == [("l1", "copy"), ("l1", "warp")]
    worse = decide_promotion(_evaluation(L1 | {"warp": [0.19] * 6}), 500, None, RULES)
    assert worse.reason == "l1 0.2000 against warp's 0.1900: not better"
    assert as_text(Decision(True, "it is the first"), "j").startswith("Promoted: it is the first.\n")


def test_what_a_version_keeps_of_its_comparison_counts_for_the_next_one() -> None:
    slack = replace(RULES, ssim=0.5)
    values = {"generated": [0.1] * 6, "v1": [0.2] * 6, "spline": [0.4] * 6, "warp": [0.4] * 6, "copy": [0.4] * 6}
    evaluation = _evaluation(values)
    behind = {"mien.behind_best": json.dumps({"ssim": 0.3, "of another version": 1})}
    decision = decide_promotion(evaluation, 500, Rival(CHAMPION.model, behind), slack)
    tags = promotion_tags(evaluation, decision)
    # SSIM is 1 − L1 here: 0.1 better than the champion's, which was 0.3 behind the best.
    assert json.loads(tags["mien.behind_best"])["ssim"] == pytest.approx(0.2)
    assert json.loads(tags["mien.measures"])["values"]["l1"] == pytest.approx(0.1)
    assert Rival(CHAMPION.model, tags).behind["ssim"] == pytest.approx(0.2)


def test_methods_are_named_by_version() -> None:
    assert short_name("models:/mien-generator/3") == "v3"
    assert short_name("models:/other/12") == "other-v12"
