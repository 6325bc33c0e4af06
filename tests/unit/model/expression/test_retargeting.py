"""The driver's expression on the source's shape, with values found by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.errors import ModelError
from mien.model.expression.head_pose import fit_pose, generic_depths, with_depths
from mien.model.expression.neutral import LID_PAIRS, LIP_PAIRS, gaps
from mien.model.expression.retargeting import Faces, RetargetSettings, neutral_landmarks, neutrals_by_person, retarget
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth
from tests.unit.model.expression.test_head_pose import turned

OFFSETS = RetargetSettings()


def faces(shape: np.ndarray, of: np.ndarray) -> Faces:
    """A photo of a person with a neutral."""
    return Faces(in_crop(shape)[None], in_crop(of)[None])


def posed(shape: np.ndarray, yaw: float) -> np.ndarray:
    return turned(yaw).project(with_depths(shape[None], generic_depths()))[0]


def small_mouthed() -> np.ndarray:
    return narrow_mouth(neutral(), 0.7)


def test_a_driver_at_its_neutral_gives_the_sources_neutral() -> None:
    person = small_mouthed()
    found = retarget(faces(opened_mouth(person, 0.3), person), faces(neutral(), neutral()), OFFSETS)
    # The source's own open mouth plays no part.
    assert found[0] == pytest.approx(in_crop(person), abs=1e-6)


def test_a_driver_at_its_neutral_gives_its_pose() -> None:
    person = small_mouthed()
    found = retarget(faces(person, person), faces(posed(neutral(), 20), neutral()), OFFSETS)
    assert found[0] == pytest.approx(in_crop(posed(person, 20)), abs=5e-3)


def test_the_source_as_its_own_driver_gives_the_drivers_points() -> None:
    person = small_mouthed()
    shown = posed(closed_eyes(opened_mouth(person, 0.3)), 12)
    shown[[48, 54], 1] -= 0.1
    found = retarget(faces(person, person), faces(shown, person), OFFSETS)
    assert found[0] == pytest.approx(in_crop(shown), abs=1e-9)


def test_closed_eyes_close_eyes_of_any_size() -> None:
    large = neutral()
    large[[37, 38, 43, 44], 1] -= 0.06
    found = retarget(faces(large, large), faces(closed_eyes(neutral()), neutral()), OFFSETS)
    assert gaps(found, LID_PAIRS) == pytest.approx(np.zeros((1, 4)), abs=1e-9)


def test_half_closed_eyes_are_half_of_the_sources() -> None:
    large, half = neutral(), neutral()
    large[[37, 38, 43, 44], 1] -= 0.06
    half[[37, 38, 43, 44], 1] += gaps(neutral()[None], LID_PAIRS)[0] / 2
    found = retarget(faces(large, large), faces(half, neutral()), OFFSETS)
    assert gaps(found, LID_PAIRS) == pytest.approx(gaps(in_crop(large)[None], LID_PAIRS) / 2)


def test_a_closed_mouth_closes_the_mouth() -> None:
    person, driver, closed = opened_mouth(neutral(), 0.04), opened_mouth(neutral(), 0.02), neutral()
    closed[[61, 62, 63]] = closed[[67, 66, 65]]
    found = retarget(faces(person, person), faces(closed, driver), OFFSETS)
    assert gaps(found, LIP_PAIRS) == pytest.approx(np.zeros((1, 3)), abs=1e-9)


def test_an_open_mouth_opens_by_the_share_of_the_lower_face() -> None:
    person = neutral()
    person[33:36, 1] += 0.0
    person[4:13, 1] += 0.2  # a long chin
    lower = (person[8, 1] - person[33, 1]) / (neutral()[8, 1] - neutral()[33, 1])
    found = retarget(faces(person, person), faces(opened_mouth(neutral(), 0.3), neutral()), OFFSETS)
    rest = gaps(in_crop(person)[None], LIP_PAIRS)
    added = gaps(in_crop(opened_mouth(neutral(), 0.3))[None], LIP_PAIRS) - gaps(in_crop(neutral())[None], LIP_PAIRS)
    assert gaps(found, LIP_PAIRS) == pytest.approx(rest + lower * added)


def test_a_small_mouth_gets_a_small_smile() -> None:
    person, smile = small_mouthed(), neutral()
    smile[[48, 54], 0] *= 1.2
    found = retarget(faces(person, person), faces(smile, neutral()), OFFSETS)[0]
    assert np.ptp(found[[48, 54], 0]) == pytest.approx(1.2 * np.ptp(in_crop(person)[[48, 54], 0]))


def test_the_head_pose_follows_the_driver_the_source_or_both() -> None:
    source, driver = faces(posed(neutral(), 0), neutral()), faces(posed(neutral(), 20), neutral())
    angles = []
    for share in (0.0, 0.5, 1.0):
        found = retarget(source, driver, RetargetSettings(head_pose=share))
        angles.append(float(fit_pose(with_depths(source.neutrals, generic_depths()), found).turned()[0]))
    assert angles == pytest.approx([0, 10, 20], abs=0.6)


def test_none_gives_the_drivers_points() -> None:
    driver = faces(opened_mouth(neutral(), 0.3), neutral())
    assert retarget(faces(neutral(), neutral()), driver, RetargetSettings("none")) is driver.points


def test_one_photo_of_each_is_enough() -> None:
    source, driver = in_crop(opened_mouth(small_mouthed(), 0.2))[None], in_crop(opened_mouth(neutral(), 0.3))[None]
    found = retarget(
        Faces(source, neutral_landmarks(source)[None]), Faces(driver, neutral_landmarks(driver)[None]), OFFSETS
    )
    assert gaps(found, LIP_PAIRS) == pytest.approx(gaps(driver, LIP_PAIRS), rel=0.15)
    assert np.ptp(found[0, [48, 54], 0]) == pytest.approx(np.ptp(source[0, [48, 54], 0]), rel=0.05)


def test_the_neutrals_of_many_are_those_of_each() -> None:
    points = in_crop(np.stack([neutral(), small_mouthed(), opened_mouth(neutral(), 0.3), closed_eyes(small_mouthed())]))
    found = neutrals_by_person(points, np.array([7, 3, 7, 3]))
    assert found == pytest.approx(np.stack([neutral_landmarks(points[1::2]), neutral_landmarks(points[::2])]))


def test_a_missing_shape_model_is_told() -> None:
    face = faces(neutral(), neutral())
    with pytest.raises(ModelError, match="--retarget offsets"):
        retarget(face, face, RetargetSettings("shape_model"))


def test_a_share_of_the_pose_beyond_one_is_told() -> None:
    with pytest.raises(ModelError, match=r"not 1\.5"):
        RetargetSettings(head_pose=1.5)


def test_a_neutral_that_winks_opens_no_eye_beyond_what_the_face_allows() -> None:
    winking = neutral()
    middle = winking[[37, 38, 41, 40], 1].mean()
    winking[[37, 38], 1], winking[[41, 40], 1] = middle - 0.005, middle + 0.005
    person = faces(neutral(), neutral())
    found = retarget(person, faces(neutral(), winking), OFFSETS)
    width = np.abs(neutral()[36, 0] - neutral()[39, 0])
    opened = gaps(found, LID_PAIRS)[0] / np.abs(found[0, 36, 0] - found[0, 39, 0])
    assert width > 0
    assert opened.max() <= 0.431
    # The eye that did not wink is as the driver shows it.
    assert gaps(found, LID_PAIRS)[0, 2:] == pytest.approx(gaps(person.points, LID_PAIRS)[0, 2:], rel=0.01)


def test_a_mouth_opens_no_wider_than_the_lower_face_allows() -> None:
    gaping = opened_mouth(neutral(), 1.2)
    found = retarget(faces(neutral(), neutral()), faces(gaping, neutral()), OFFSETS)
    person = in_crop(neutral())
    assert gaps(found, LIP_PAIRS).max() <= 0.651 * (person[8, 1] - person[33, 1])


def test_a_neutral_beyond_the_bounds_keeps_its_own_opening() -> None:
    wide = neutral()
    wide[[37, 38, 43, 44], 1] -= 0.3
    person = faces(wide, wide)
    assert retarget(person, faces(neutral(), neutral()), OFFSETS)[0] == pytest.approx(in_crop(wide), abs=1e-6)
