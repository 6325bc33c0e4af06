"""Sharpness beside the photo that a result should be, and identity by a second embedder."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.model.detection.allowed_classes import allow_all_classes
from mien.model.quality.sharpness import MAX_FACTOR, sharpness_values
from mien.tasks.errors import UsageError
from mien.tasks.evaluate.second_embedder import check_embedder, second_look

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
PHOTO = cv2.GaussianBlur(PHOTO, (0, 0), 1.0)
SQUARES = "tests.own_detector:DarkSquares"


def test_the_photo_itself_is_as_sharp_as_it_is() -> None:
    assert sharpness_values(PHOTO, PHOTO) == {"sharpness": 1.0, "sharpness_gap": 0.0}


def test_blur_and_noise_both_open_the_gap() -> None:
    blurred = sharpness_values(cv2.GaussianBlur(PHOTO, (0, 0), 1.5), PHOTO)
    noise = np.random.default_rng(1).normal(0, 40, PHOTO.shape)
    noisy = sharpness_values(np.clip(PHOTO + noise, 0, 255).astype(np.uint8), PHOTO)
    assert blurred["sharpness"] < 0.7
    assert noisy["sharpness"] > 1.3
    for values in (blurred, noisy):
        assert values["sharpness_gap"] == pytest.approx(abs(np.log(values["sharpness"])))


def test_a_picture_of_one_colour_is_as_bad_as_can_be_and_a_photo_of_one_says_nothing() -> None:
    flat = np.full_like(PHOTO, 100)
    assert sharpness_values(flat, PHOTO)["sharpness_gap"] == pytest.approx(np.log(MAX_FACTOR))
    assert sharpness_values(PHOTO, flat) == {}


def _square(colour: tuple[int, int, int]) -> np.ndarray:
    picture = np.full((64, 64, 3), 230, np.uint8)
    picture[10:54, 10:54] = colour
    return picture


def test_a_second_embedder_tells_people_apart_in_its_own_way() -> None:
    allow_all_classes()
    look = second_look(SQUARES, _square((100, 30, 30)))
    assert look is not None
    assert look.similarity(_square((90, 27, 27))) == pytest.approx(1, abs=1e-3)
    other = look.similarity(_square((30, 30, 100)))
    assert other is not None
    assert other < 0.7
    assert look.similarity(np.full((64, 64, 3), 230, np.uint8)) is None  # nobody is found
    nobody = second_look(SQUARES, np.full((64, 64, 3), 230, np.uint8))
    assert nobody is not None
    assert nobody.similarity(_square((90, 27, 27))) is None
    assert second_look(None, PHOTO) is None


def test_the_embedder_that_training_learns_from_cannot_be_the_second_one() -> None:
    allow_all_classes()
    check_embedder(None, "embedder")
    check_embedder(SQUARES, "embedder")
    with pytest.raises(UsageError, match=r"promotion\.embedder is dlib, whose embedding .* is the one that training"):
        check_embedder("dlib", "promotion.embedder")
    with pytest.raises(UsageError, match=r"embedder: unknown detector 'nothing'"):
        check_embedder("nothing", "embedder")
