"""The gate: which limit a face breaks, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mien.model.errors import SettingsError
from mien.model.quality.change import PARTS, ChangePart, PartChange
from mien.model.quality.face_measures import FaceMeasures
from mien.model.quality.gate import GateLimits, GateSettings, broken_limit, change_asked

LIMITS = GateLimits(min_identity_similarity=0.4)
GOOD = FaceMeasures(
    identity_similarity=0.6,
    person_similarity=0.7,
    nearest_similarity=0.3,
    driver_similarity=0.2,
    expression_error=0.02,
    asked="middle",
    expression_reached=0.8,
    mouth_asked=0.05,
    mouth_reached=0.8,
    lids_asked=0.01,
    lids_reached=-3.0,
    brows_asked=0.0,
    brows_reached=0.0,
    jaw_asked=0.0,
    jaw_reached=0.0,
    pose_asked=1.0,
    pose_reached=0.5,
    sharpness_ratio=0.8,
    mouth_sharpness_ratio=0.8,
    eyes_sharpness_ratio=0.8,
    texture_error=0.2,
    contrast_ratio=1.0,
    colour_difference=2.0,
    detector_score=1.5,
)


def test_a_good_face_breaks_none_though_lids_that_were_asked_for_little_went_the_other_way() -> None:
    assert broken_limit(GOOD, LIMITS) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"identity_similarity": 0.39}, "identity similarity 0.390 is below 0.400"),
        (
            {"nearest_similarity": 0.69},
            "looks more like another person of the set (0.690) than like the source's photos (0.700)",
        ),
        ({"driver_similarity": 0.61}, "looks more like the driver (0.610) than like the source (0.600)"),
        ({"expression_reached": 0.29}, "expression reached 0.290 is below 0.300"),
        ({"mouth_reached": 0.05}, "mouth reached 0.050 is below 0.100"),
        ({"lids_asked": 0.05}, "lids reached -3.000 is below 0.100"),
        ({"expression_error": 0.11}, "expression error 0.110 is above 0.100"),
        ({"sharpness_ratio": 0.1}, "sharpness of the face over the source's 0.100 is below 0.200"),
        ({"sharpness_ratio": 9.0}, "sharpness of the face over the source's 9.000 is above 4.000"),
        ({"mouth_sharpness_ratio": 0.1}, "sharpness of the mouth over the source's 0.100 is below 0.200"),
        ({"eyes_sharpness_ratio": 20.0}, "sharpness of the eyes over the source's 20.000 is above 8.000"),
        ({"texture_error": 0.9}, "texture error 0.900 is above 0.700"),
        ({"contrast_ratio": 0.5}, "contrast over the source's 0.500 is below 0.700"),
        ({"colour_difference": 40.0}, "colour difference 40.000 is above 15.000"),
        ({"identity_similarity": None}, "no face found on the result"),
        # What is written rounds to the limit, and is below it nevertheless.
        ({"identity_similarity": 0.3999996}, "identity similarity 0.3999996 is below 0.400"),
    ],
)
def test_the_first_limit_that_is_not_kept_is_the_reason(changed: dict[str, float | None], reason: str) -> None:
    assert broken_limit(replace(GOOD, **changed), LIMITS) == reason  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["expression_reached", "texture_error", "contrast_ratio", "identity_similarity"])
def test_nan_keeps_no_limit(name: str) -> None:
    assert broken_limit(replace(GOOD, **{name: float("nan")}), LIMITS) is not None  # pyright: ignore[reportArgumentType]


def test_what_was_not_measured_breaks_no_limit() -> None:
    assert broken_limit(FaceMeasures(identity_similarity=0.6), LIMITS) is None


def changes(**of_parts: tuple[float, float]) -> dict[ChangePart, PartChange]:
    """Asked and reached of some parts; nothing was asked of the others."""
    return {part: PartChange(*of_parts.get(part, (0.0, 0.0))) for part in PARTS}


def test_where_little_is_asked_nothing_is_reached_or_missed() -> None:
    assert change_asked(changes(mouth=(0.02, 5.0), pose=(7.9, 0.0)), LIMITS) == ("little", None)


def test_reached_is_the_mean_over_the_parts_that_are_asked_to_change() -> None:
    found = change_asked(changes(mouth=(0.04, 0.5), lids=(0.04, 0.1), brows=(0.001, -9.0)), LIMITS)
    assert found == ("middle", pytest.approx(0.3))


def test_too_much_of_one_part_does_not_make_up_for_another() -> None:
    assert change_asked(changes(mouth=(0.04, 3.0), lids=(0.04, 0.0)), LIMITS).reached == pytest.approx(0.5)


def test_a_change_is_large_where_a_part_is_asked_for_much() -> None:
    assert change_asked(changes(mouth=(0.08, 1.0)), LIMITS).asked == "large"


def test_limits_that_are_set_hold_and_the_others_are_built_in() -> None:
    limits = GateSettings(max_texture_error=0.3).limits(0.45)
    assert (limits.max_texture_error, limits.min_identity_similarity) == (0.3, 0.45)
    assert limits.min_contrast_ratio == GateLimits(0.4).min_contrast_ratio


@pytest.mark.parametrize("name", ["max_texture_error", "min_contrast_ratio", "max_colour_difference"])
def test_a_limit_below_zero_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        GateSettings(**{name: -0.1})


def test_settings_and_limits_have_the_same_names() -> None:
    assert GateSettings.__annotations__.keys() == GateLimits.__annotations__.keys()
