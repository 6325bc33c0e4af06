"""A person's neutral, from many photos and from one."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.expression.head_pose import generic_head
from mien.model.expression.neutral import at_rest, neutral_by_construction, to_reference_units
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import eye_opening, mouth_opening
from tests.shapes import closed_eyes, in_crop, neutral, opened_mouth
from tests.unit.model.expression.test_head_pose import turned


def test_points_of_a_crop_come_back_in_reference_units() -> None:
    flat, _, _ = to_reference_units(in_crop(reference_shape()[None]))
    assert flat[0] == pytest.approx(reference_shape())


def test_the_reference_face_at_rest_is_its_own_neutral() -> None:
    face = in_crop(neutral())
    assert neutral_by_construction(face[None]) == pytest.approx(face, abs=0.01)


def test_rest_stays_rest() -> None:
    assert np.array_equal(at_rest(neutral()), neutral())


def test_one_photo_with_an_open_mouth_is_no_neutral() -> None:
    opened = opened_mouth(neutral(), 0.4)
    face = neutral_by_construction(in_crop(opened)[None])
    assert mouth_opening(in_crop(opened), "ibug68") > 0.25
    assert mouth_opening(face, "ibug68") == pytest.approx(mouth_opening(neutral(), "ibug68"), abs=0.01)
    # The chin comes up with the lip.
    assert face[8, 1] == pytest.approx(in_crop(neutral())[8, 1], abs=0.02)


def test_one_photo_with_closed_eyes_is_no_neutral() -> None:
    face = neutral_by_construction(in_crop(closed_eyes(neutral()))[None])
    assert eye_opening(face, "ibug68") == pytest.approx((0.27, 0.27), abs=0.02)


def test_the_calm_photos_of_many_are_taken() -> None:
    calm = neutral()
    calm[[48, 54], 0] *= 1.1  # a wide mouth, which the person always has
    shapes = [calm] * 4 + [opened_mouth(calm, 0.1 * n) for n in range(1, 5)] + [closed_eyes(calm)] * 2
    found = neutral_by_construction(in_crop(np.stack(shapes)))
    assert found == pytest.approx(neutral_by_construction(in_crop(calm)[None]), abs=0.015)


def test_a_turned_photo_gives_nearly_the_frontal_neutral() -> None:
    seen = turned(15).project(np.concatenate([neutral(), generic_head()[:, 2:]], axis=1)[None])
    straight = in_crop(neutral())
    found = neutral_by_construction(in_crop(seen))
    assert np.abs(in_crop(seen)[0] - straight).max() > 0.08
    assert np.abs(found - straight).max() < 0.02
