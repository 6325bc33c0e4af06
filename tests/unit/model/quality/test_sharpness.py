"""The sharpness of a result beside the photo that it should be, at the side of both."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.model.images.codec import resize_rgb
from mien.model.quality.sharpness import MAX_FACTOR, sharpness_values

PHOTO = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8), (0, 0), 0.8)


def test_a_photo_is_as_sharp_as_itself_and_a_blurred_one_less() -> None:
    assert sharpness_values(PHOTO, PHOTO) == {"sharpness": 1.0, "sharpness_gap": 0.0}
    blurred = sharpness_values(cv2.GaussianBlur(PHOTO, (0, 0), 1.0), PHOTO)
    assert blurred["sharpness"] < 0.5
    assert blurred["sharpness_gap"] == pytest.approx(-np.log(blurred["sharpness"]))


def test_what_was_enlarged_from_half_the_side_is_seen_to_be_soft() -> None:
    enlarged = resize_rgb(resize_rgb(PHOTO, 128), 256)
    assert sharpness_values(enlarged, PHOTO)["sharpness"] < 0.4
    small = resize_rgb(PHOTO, 128)
    assert sharpness_values(resize_rgb(enlarged, 128), small)["sharpness"] > 0.7  # at half the side little is lost


def test_ratios_are_bounded_and_a_photo_of_one_colour_has_none() -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert sharpness_values(PHOTO, np.full_like(PHOTO, 90)) == {}
    assert sharpness_values(flat, resize_rgb(PHOTO, 64))["sharpness"] == 1 / MAX_FACTOR
