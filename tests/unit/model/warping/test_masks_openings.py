"""What is open between lips and lids, against areas reckoned by hand."""

from __future__ import annotations

import pytest
import torch

from mien.model.landmarks.schemes import mirror_indices
from mien.model.warping.masks import opening_maps

MOUTH, EYES = 0, 1


def mouth(upper: list[float], lower: list[float]) -> torch.Tensor:
    """Landmarks whose inner lips run through these heights, from x = -0.5 to 0.5; all others coincide."""
    points = torch.zeros(1, 68, 2)
    x = torch.linspace(-0.5, 0.5, 5)
    points[0, [60, 61, 62, 63, 64]] = torch.stack([x, torch.tensor(upper)], dim=1)
    points[0, [60, 67, 66, 65, 64]] = torch.stack([x, torch.tensor(lower)], dim=1)
    return points


def rhombus(height: float) -> torch.Tensor:
    return mouth([0, -height / 2, -height, -height / 2, 0], [0, height / 2, height, height / 2, 0])


@pytest.mark.parametrize("side_px", [16, 64])
def test_the_pixels_add_up_to_the_area(side_px: int) -> None:
    maps = opening_maps(rhombus(0.3), side_px)
    # A rhombus with diagonals 1 and 0.6, in pixels of side 2 / side_px. Columns are taken at their middle.
    assert maps[0, MOUTH].sum().item() * (2 / side_px) ** 2 == pytest.approx(0.3, rel=0.01)
    assert maps[0, EYES].sum() == 0
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_a_pixel_is_filled_by_as_much_of_it_as_lies_inside() -> None:
    # Four pixels a side, each of side 0.5. Between -0.5 and 0.5 lie the two middle columns; the opening reaches from
    # -0.125 to 0.25: a quarter of the second row, half of the third.
    points = mouth([-0.125] * 5, [0.25] * 5)
    expected = torch.tensor([[0, 0, 0, 0], [0, 0.25, 0.25, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(opening_maps(points, 4)[0, MOUTH], expected, atol=1e-5, rtol=0)


def test_a_smile_is_a_crescent() -> None:
    maps = opening_maps(mouth([0, 0.15, 0.2, 0.15, 0], [0, 0.35, 0.5, 0.35, 0]), 64)[0, MOUTH]
    middle = maps[:, 32]
    assert middle[32:38].max() == 0  # between the corners and the upper lip there is skin
    assert middle[40:47].min() == 1


def test_a_closed_mouth_is_nothing() -> None:
    assert opening_maps(mouth([0.1] * 5, [0.1] * 5), 64).max() == 0


def test_lips_that_cross_are_nothing() -> None:
    assert opening_maps(mouth([0.1] * 5, [0.05] * 5), 64).max() == 0


def test_mirrored_landmarks_give_the_mirrored_maps() -> None:
    draw = torch.Generator().manual_seed(3)
    points = rhombus(0.2) + 0.02 * torch.randn(1, 68, 2, generator=draw)
    points[:, 36:42] = points[:, [60, 61, 63, 64, 65, 67]] * 0.3 - torch.tensor([0.4, 0.4])
    points[:, 42:48] = points[:, [60, 61, 63, 64, 65, 67]] * 0.3 + torch.tensor([0.4, -0.4])
    mirrored = points[:, list(mirror_indices())] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(opening_maps(mirrored, 32), opening_maps(points, 32).flip(-1), atol=1e-5, rtol=0)
    assert opening_maps(points, 32)[0, EYES].sum() > 0


def test_gradients_reach_the_landmarks() -> None:
    points = rhombus(0.3).double().requires_grad_()
    opening_maps(points, 16)[0, MOUTH].sum().backward()
    assert points.grad is not None
    assert points.grad[0, 66, 1] > 0  # a lower lip that goes down opens more
    assert points.grad[0, 62, 1] < 0
