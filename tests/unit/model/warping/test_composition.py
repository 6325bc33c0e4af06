"""The result put together from the sources' own pixels."""

from __future__ import annotations

import pytest
import torch

from mien.model.warping.composition import compose
from mien.model.warping.pixel_grid import pixel_grid

FINE_PX, SIZE_PX = 16, 32


def composed(photos: torch.Tensor, side_px: int, shift: float = 0.0, shown: float = 1.0) -> torch.Tensor:
    rows = photos.shape[:2]
    grid = pixel_grid(torch.zeros(1, 1, FINE_PX, FINE_PX)).expand(*rows, -1, -1, -1) + torch.tensor([shift, 0.0])
    masks = torch.full((*rows, 1, SIZE_PX, SIZE_PX), shown / rows[1])
    image, _ = compose(photos, grid, masks, torch.zeros(rows[0], 3, SIZE_PX, SIZE_PX), side_px)
    return image


def noise(side_px: int, sources: int = 1) -> torch.Tensor:
    return torch.rand(1, sources, 3, side_px, side_px, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("side_px", [32, 64, 128])
def test_a_source_that_does_not_move_keeps_every_pixel(side_px: int) -> None:
    photo = noise(side_px)
    torch.testing.assert_close(composed(photo, side_px), photo[:, 0], atol=1e-4, rtol=0)


def test_a_smaller_image_is_the_mean_over_areas() -> None:
    photo = noise(64)
    expected = torch.nn.functional.avg_pool2d(photo[:, 0], 2)
    torch.testing.assert_close(composed(photo, 32), expected, atol=1e-4, rtol=0)


def test_half_a_pixel_off_a_source_keeps_more_detail_than_between_two_pixels() -> None:
    photo = noise(64)
    moved = composed(photo, 64, shift=1 / 64)  # half a pixel
    between = (photo[:, 0] + photo[:, 0].roll(-1, -1)) / 2
    assert moved[..., 4:-4].var() > 1.15 * between[..., 4:-4].var()


def test_sources_are_added_by_their_masks() -> None:
    both = noise(32, sources=2)
    torch.testing.assert_close(composed(both, 32), both.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(composed(both, 32, shown=0.0), torch.zeros(1, 3, 32, 32))


def test_sources_far_larger_than_the_image_are_reduced_before_they_are_moved() -> None:
    photo = noise(256)
    expected = torch.nn.functional.avg_pool2d(photo[:, 0], 8)
    torch.testing.assert_close(composed(photo, 32), expected, atol=1e-4, rtol=0)
