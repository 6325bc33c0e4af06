"""Pictures at another size."""

from __future__ import annotations

import torch

from mien.model.warping.picture_size import at_size


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
