"""Parts of an expression: what is taken follows the driver, the rest stays as the source photo shows it."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.errors import ModelError, SettingsError
from mien.model.expression.neutral import LID_PAIRS, LIP_PAIRS, gaps
from mien.model.expression.parts import PARTS, ExpressionPart, checked_parts, moved_landmarks
from mien.model.expression.retargeting import RetargetSettings, retarget
from mien.model.expression.strength_range import Strength
from tests.shapes import closed_eyes, in_crop, neutral, opened_mouth
from tests.unit.model.expression.test_retargeting import faces, posed


def driver_shape() -> np.ndarray:
    shape = closed_eyes(opened_mouth(neutral(), 0.2))
    shape[17:27, 1] -= 0.08
    return shape


@pytest.mark.parametrize("part", ["mouth", "eyes", "brows"])
def test_one_part_follows_the_driver_and_all_else_stays(part: ExpressionPart) -> None:
    source = neutral()
    source[[48, 54], 1] -= 0.05  # the source smiles a little
    person, driver = faces(source, neutral()), faces(driver_shape(), neutral())
    whole, found = (retarget(person, driver, RetargetSettings(parts=parts)) for parts in (PARTS, (part,)))
    moved = moved_landmarks([part])
    assert found[0][moved] == pytest.approx(whole[0][moved], abs=1e-3)
    assert found[0][~moved] == pytest.approx(person.points[0][~moved], abs=1e-3)
    assert np.abs(found - person.points).max() > 0.01


def test_without_the_pose_the_head_stays_as_it_is() -> None:
    person, driver = faces(posed(neutral(), 10), neutral()), faces(posed(driver_shape(), -20), neutral())
    parts = checked_parts(["mouth", "eyes", "brows"])
    still = retarget(person, driver, RetargetSettings(head_pose=0.0))
    assert retarget(person, driver, RetargetSettings(parts=parts)) == pytest.approx(still)


def test_the_pose_alone_turns_the_source_as_it_is() -> None:
    source = opened_mouth(neutral(), 0.15)
    person, driver = faces(source, neutral()), faces(posed(driver_shape(), 20), neutral())
    found = retarget(person, driver, RetargetSettings(parts=("pose",)))
    assert gaps(found, LIP_PAIRS).mean() == pytest.approx(gaps(person.points, LIP_PAIRS).mean(), rel=0.05)
    assert gaps(found, LID_PAIRS).mean() == pytest.approx(gaps(person.points, LID_PAIRS).mean(), rel=0.05)
    assert found[0] == pytest.approx(in_crop(posed(source, 20)), abs=1e-2)


def test_parts_are_named_in_any_order() -> None:
    assert checked_parts(["pose", "mouth", "pose"]) == ("mouth", "pose")
    for wrong, message in ((["nose"], "'nose' is no part"), ([], "no part"), ([""], "'' is no part")):
        with pytest.raises(SettingsError, match=message):
            checked_parts(wrong)


def test_the_drivers_own_landmarks_have_no_parts() -> None:
    for more in ({"parts": ("mouth",)}, {"strength": Strength(1.2, 1.2)}):
        with pytest.raises(ModelError, match="--retarget offsets"):
            RetargetSettings("none", **more)


def test_settings_survive_json() -> None:
    settings = RetargetSettings(strength=Strength(0.8, 1.2), parts=("mouth", "pose"))
    kept = {"kind": "offsets", "head_pose": 1.0, "strength": {"min": 0.8, "max": 1.2}, "parts": ["mouth", "pose"]}
    assert RetargetSettings.from_mapping(kept) == settings
    assert RetargetSettings.from_mapping({"kind": "offsets", "head_pose": 1.0}) == RetargetSettings()
