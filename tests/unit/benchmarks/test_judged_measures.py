from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.judged_measures import (
    area_mask,
    chroma,
    green,
    is_shut,
    laplacian_energy,
    open_mouth,
    openings,
    share,
    share_reached,
    sharpness_over,
)
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks

SIDE_PX = 128
SHAPE = reference_landmarks(AlignmentSettings(size_px=SIDE_PX))
POINTS = from_px(SHAPE, SIDE_PX)
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def test_mouth_and_eyes_lie_in_the_face() -> None:
    face, mouth, eyes = (area_mask(POINTS, SIDE_PX, area) for area in ("face", "mouth", "eyes"))
    assert 0.2 < face.mean() < 0.7
    assert mouth.any()
    assert eyes.any()
    assert not (mouth & eyes).any()
    assert (mouth & face).sum() > 0.9 * mouth.sum()
    assert (eyes & face).sum() > 0.9 * eyes.sum()


def test_a_mask_has_the_place_of_the_face_at_every_size() -> None:
    large = area_mask(POINTS, 2 * SIDE_PX, "face")
    assert large.mean() == pytest.approx(area_mask(POINTS, SIDE_PX, "face").mean(), abs=0.02)


def test_blur_takes_sharpness_and_noise_adds_it() -> None:
    photo = cv2.GaussianBlur(NOISE, (0, 0), 1.0)
    assert sharpness_over(photo, photo, POINTS, "face") == 1
    assert sharpness_over(cv2.GaussianBlur(photo, (0, 0), 1.0), photo, POINTS, "face") < 0.5
    assert sharpness_over(NOISE, photo, POINTS, "face") > 1.5


def test_sharpness_is_that_of_the_area_alone() -> None:
    photo = cv2.GaussianBlur(NOISE, (0, 0), 1.0)
    made, mouth = photo.copy(), area_mask(POINTS, SIDE_PX, "mouth")
    made[cv2.dilate(mouth.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 128
    assert sharpness_over(made, photo, POINTS, "mouth") == 0
    assert sharpness_over(made, photo, POINTS, "eyes") == 1


def test_without_detail_there_is_nothing_to_compare_with() -> None:
    flat = np.full_like(NOISE, 90)
    assert np.isnan(sharpness_over(NOISE, flat, POINTS, "face"))
    assert np.isnan(laplacian_energy(NOISE, np.zeros((SIDE_PX, SIDE_PX), bool)))


def test_chroma_is_counted_in_the_mask_and_grey_has_none() -> None:
    picture, mask = np.full((8, 8, 3), 77, np.uint8), np.zeros((8, 8), bool)
    mask[:4] = True
    assert chroma(picture, mask) == 0
    picture[:2, :, 0] += 30  # half of the mask
    picture[4:] = (255, 0, 0)
    assert chroma(picture, mask) == 15


def test_green_is_what_is_more_than_red_and_blue_and_neither_grey_nor_skin_has_any() -> None:
    picture, mask = np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), bool)
    assert np.isnan(green(picture, mask))
    mask[:4] = True
    assert green(picture, mask) == 0
    picture[:2, :, 1] += 10  # half of the mask
    picture[2:4] = (220, 170, 150)  # the other half: skin, which takes nothing away
    picture[4:] = (0, 255, 0)
    assert green(picture, mask) == 5


def test_an_open_mouth_lies_between_the_inner_lips_and_a_shut_one_has_no_inside() -> None:
    wide = SHAPE.copy()
    wide[65:68, 1] += 12
    inside = open_mouth(from_px(wide, SIDE_PX), SIDE_PX)
    rows, columns = np.nonzero(inside)
    assert inside.sum() > 150
    assert wide[60, 0] <= columns.min() <= columns.max() <= wide[64, 0]
    assert wide[60:65, 1].min() <= rows.min() <= rows.max() <= wide[65:68, 1].max()
    wide[65:68] = wide[63:60:-1]
    assert not open_mouth(from_px(wide, SIDE_PX), SIDE_PX).any()


def test_openings_of_a_face_follow_lips_and_lids() -> None:
    shut = SHAPE.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        shut[upper] = shut[lower]
    before, after = openings(SHAPE, "ibug68"), openings(shut, "ibug68")
    assert after.mouth == before.mouth
    assert is_shut(after.eyes, before.eyes)
    assert not is_shut(before.eyes, before.eyes)


def test_no_face_has_no_shut_eyes() -> None:
    assert not is_shut(float("nan"), 0.3)


def test_the_share_that_is_reached_is_the_slope() -> None:
    asked = [0.2, -0.1, 0.4, 0.3]
    assert share_reached(asked, [0.5 * change for change in asked]) == pytest.approx(0.5)
    assert share_reached([*asked, 1.0], [*asked, float("nan")]) == pytest.approx(1.0)
    assert share_reached([0.2, -0.2], [0.2, 0.2]) == pytest.approx(0.0)
    assert np.isnan(share_reached([0.0], [0.1]))


def test_a_share_of_nothing_is_none() -> None:
    assert share([True, False, False, True]) == 0.5
    assert np.isnan(share([]))
