"""What is not asked for stays, and what is asked for is not held back."""

from __future__ import annotations

import pytest
import torch

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.warping.pixel_grid import pixel_grid
from mien.model.warping.restraint import SAME, STILL, restrained

SIDE_PX, COARSE_PX, MAP_PX = 64, 32, 32


def given(side_px: int = SIDE_PX) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture and a photo of other pixels."""
    random = torch.Generator().manual_seed(0)
    image, photo = (torch.rand(1, 3, side, side, generator=random) * 2 - 1 for side in (SIDE_PX, side_px))
    return image, photo


def still() -> torch.Tensor:
    return pixel_grid(torch.zeros(1, 1, COARSE_PX, COARSE_PX))[None].clone()


def keypoints() -> KeypointInfo:
    return KeypointInfo(torch.zeros(1, 8, MAP_PX, MAP_PX), torch.zeros(1, 68, 2))


@pytest.mark.parametrize("side_px", [SIDE_PX, 2 * SIDE_PX])
def test_what_is_not_asked_for_has_the_photos_pixels(side_px: int) -> None:
    image, photo = given(side_px)
    found = restrained(image, photo, still(), keypoints(), keypoints())
    expected = torch.nn.functional.avg_pool2d(photo, side_px // SIDE_PX)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_what_moves_by_more_than_a_pixel_is_the_image() -> None:
    image, photo = given()
    found = restrained(image, photo, still() + torch.tensor([0.0, 4 * STILL]), keypoints(), keypoints())
    torch.testing.assert_close(found, image, atol=1e-4, rtol=0)


def test_a_part_that_moves_is_the_image_and_the_others_stay() -> None:
    image, photo = given()
    motion = still()
    motion[:, : COARSE_PX // 2] += 4 * STILL  # the upper half
    found = restrained(image, photo, motion, keypoints(), keypoints())
    half = SIDE_PX // 2
    torch.testing.assert_close(found[:, :, : half - 2], image[:, :, : half - 2], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[:, :, half + 2 :], photo[:, :, half + 2 :], atol=1e-4, rtol=0)


def test_heatmaps_that_differ_count_where_no_landmark_moves() -> None:
    image, photo = given()
    asked = keypoints()
    asked.heatmaps[:, 3, : MAP_PX // 2] = 4 * SAME  # an iris, say
    found = restrained(image, photo, still(), keypoints(), asked)
    half = SIDE_PX // 2
    torch.testing.assert_close(found[:, :, : half - 2], image[:, :, : half - 2], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[:, :, half + 2 :], photo[:, :, half + 2 :], atol=1e-4, rtol=0)


def test_between_both_there_is_no_step() -> None:
    image, photo = given()
    shares = []
    for factor in (0.2, 0.5, 1.0, 1.5, 2.0):
        found = restrained(image, photo, still() + torch.tensor([factor * STILL, 0.0]), keypoints(), keypoints())
        shares.append(float(((found - photo) / (image - photo)).mean()))
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[2] == pytest.approx(1 - 1 / 2.71828, abs=1e-3)
    assert shares[-1] > 0.95
