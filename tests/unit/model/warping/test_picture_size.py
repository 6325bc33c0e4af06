"""Pictures at another size."""

from __future__ import annotations

import torch

from mien.model.warping.picture_size import at_size, parted


def test_smaller_is_the_mean_over_areas() -> None:
    picture = torch.arange(16.0).reshape(1, 1, 4, 4) / 16
    torch.testing.assert_close(at_size(picture, 2), torch.nn.functional.avg_pool2d(picture, 2))


def test_larger_stays_within_the_range_of_pictures() -> None:
    edge = torch.cat([torch.full((1, 3, 8, 4), -1.0), torch.full((1, 3, 8, 4), 1.0)], -1)
    larger = at_size(edge, 32)
    assert larger.shape == (1, 3, 32, 32)
    assert larger.abs().max() <= 1


def test_the_same_size_is_the_same_picture() -> None:
    picture = torch.rand(1, 3, 8, 8)
    assert at_size(picture, 8) is picture


def test_a_picture_is_its_half_and_the_detail_that_the_half_does_not_show() -> None:
    board = torch.full((1, 1, 8, 8), 0.4)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -0.4
    coarse, detail = parted(board)
    torch.testing.assert_close(coarse, torch.zeros(1, 1, 4, 4))
    torch.testing.assert_close(detail, board)
    coarse, detail = parted(torch.full((2, 3, 8, 8), 0.7))
    assert coarse.shape == (2, 3, 4, 4)
    assert detail.abs().max() < 1e-6
