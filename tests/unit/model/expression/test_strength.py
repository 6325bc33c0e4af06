"""A stronger or weaker expression: the displacement from the neutral is scaled, the pose is not."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.errors import SettingsError
from mien.model.expression.neutral import LIP_PAIRS, gaps
from mien.model.expression.retargeting import Faces, RetargetSettings, retarget
from mien.model.expression.strength import strengthened
from mien.model.expression.strength_range import Strength, check_strength
from tests.shapes import in_crop, neutral, opened_mouth
from tests.unit.model.expression.test_retargeting import faces, posed, small_mouthed


@pytest.mark.parametrize("strength", [0.5, 0.8, 1.25, 1.5])
def test_the_displacement_is_scaled(strength: float) -> None:
    opened = opened_mouth(neutral(), 0.2)
    found = strengthened(faces(opened, neutral()), strength)
    assert found.points[0] == pytest.approx(in_crop(neutral() + strength * (opened - neutral())), abs=2e-3)
    assert found.neutrals[0] == pytest.approx(in_crop(neutral()))


def test_one_changes_nothing() -> None:
    driver = faces(opened_mouth(neutral(), 0.2), neutral())
    assert strengthened(driver, 1.0) is driver


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_a_turned_head_is_no_expression(strength: float) -> None:
    shown = posed(neutral(), 25)
    assert strengthened(faces(shown, neutral()), strength).points[0] == pytest.approx(in_crop(shown), abs=1e-3)


def test_what_is_asked_of_the_source_grows_with_the_strength() -> None:
    person, driver = small_mouthed(), faces(opened_mouth(neutral(), 0.2), neutral())
    asked = [
        gaps(retarget(faces(person, person), strengthened(driver, strength), RetargetSettings()), LIP_PAIRS).mean()
        for strength in (0.5, 1.0, 1.5)
    ]
    assert asked[1] - asked[0] == pytest.approx(asked[2] - asked[1], rel=0.05)
    assert asked[1] > asked[0] + 0.01


@pytest.mark.parametrize("strength", [0.49, 1.51, -1.0, np.nan, np.inf])
def test_a_strength_out_of_bounds_is_told(strength: float) -> None:
    with pytest.raises(SettingsError, match=r"strength must lie in 0\.5 to 1\.5"):
        check_strength(strength)


def test_drivers_may_have_strengths_of_their_own() -> None:
    driver = faces(opened_mouth(neutral(), 0.2), neutral())
    both = Faces(np.repeat(driver.points, 2, axis=0), np.repeat(driver.neutrals, 2, axis=0))
    found = strengthened(both, np.array([0.5, 1.5]))
    assert found.points[0] == pytest.approx(strengthened(driver, 0.5).points[0])
    assert found.points[1] == pytest.approx(strengthened(driver, 1.5).points[0])


def test_each_pair_draws_from_the_range_by_its_seed() -> None:
    strength = Strength.of("0.8..1.2")
    drawn = np.array([strength.drawn(seed) for seed in range(2000)])
    assert drawn.tolist() == [strength.drawn(seed) for seed in range(2000)]
    assert drawn.min() >= 0.8
    assert drawn.max() <= 1.2
    assert np.histogram(drawn, 4)[0].min() > 400  # even
    assert {Strength.of("1.3").drawn(seed) for seed in range(9)} == {1.3}


@pytest.mark.parametrize("text", ["", "strong", "0.8..", "..1", "0.8-1.2", "0.2", "1..1.6", "nan", "1.2..0.8", "inf"])
def test_what_is_no_strength_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="strength"):
        Strength.of(text)
