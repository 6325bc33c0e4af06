"""How much of an asked change is found, by part of the face."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.expression.head_pose import generic_head
from mien.model.landmarks.reference import reference_shape
from mien.model.quality.change import PARTS, ChangePart, part_changes

REST = reference_shape().astype(np.float64)


def moved(part: ChangePart, by: float = 0.1) -> np.ndarray:
    """The reference face with one part changed."""
    shape = REST.copy()
    if part == "mouth":
        shape[[57, 58, 56, 65, 66, 67], 1] += by
    elif part == "lids":
        shape[[37, 38, 43, 44], 1] += by
    elif part == "brows":
        shape[17:27, 1] -= by
    elif part == "jaw":
        shape[4:13, 1] += by
    else:
        angle = np.radians(100 * by)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        shape = (generic_head() @ turn.T)[:, :2]
    return shape


@pytest.mark.parametrize("part", PARTS)
def test_a_copy_reaches_nothing_and_the_target_all_of_what_is_asked(part: ChangePart) -> None:
    asked = moved(part)
    assert part_changes(REST, asked, REST, REST)[part].reached == 0
    found = part_changes(REST, asked, REST, asked)[part]
    assert found.reached == pytest.approx(1)
    assert found.asked > (5 if part == "pose" else 0.02)


@pytest.mark.parametrize("part", PARTS)
def test_half_of_the_way_is_about_half(part: ChangePart) -> None:
    assert part_changes(REST, moved(part), REST, moved(part, 0.05))[part].reached == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("part", PARTS)
def test_the_other_way_is_below_zero(part: ChangePart) -> None:
    assert part_changes(REST, moved(part), REST, moved(part, -0.05))[part].reached < -0.3


def test_a_turn_of_the_head_is_asked_of_the_pose_and_hardly_of_the_other_parts() -> None:
    found = part_changes(REST, moved("pose", 0.15), REST, REST)
    assert found["pose"].asked == pytest.approx(15 / np.sqrt(3), abs=0.5)
    assert max(found[part].asked for part in PARTS if part != "pose") < 0.02


def test_the_unit_and_the_position_of_the_points_do_not_matter() -> None:
    asked = moved("mouth")
    first = part_changes(REST, asked, REST, moved("mouth", 0.03))["mouth"]
    second = part_changes(*(40 * points + 64 for points in (REST, asked, REST, moved("mouth", 0.03))))["mouth"]
    assert (second.asked, second.reached) == pytest.approx((first.asked, first.reached))


def test_what_the_detector_is_off_on_source_and_result_alike_does_not_count() -> None:
    off = np.random.default_rng(0).normal(0, 0.02, REST.shape)
    asked = moved("mouth")
    assert part_changes(REST, asked, REST + off, REST + off)["mouth"].reached == 0
