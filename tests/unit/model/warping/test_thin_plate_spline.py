"""The closed-form motion: hand-computed values, exactness, gradients."""

from __future__ import annotations

import math

import pytest
import torch

from mien.model.warping.pixel_grid import pixel_centres
from mien.model.warping.thin_plate_spline import resized_grid, spline_grid, warp

SQUARE = torch.tensor([[[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]])


def _face(seed: int, count: int = 68) -> torch.Tensor:
    return torch.rand(1, count, 2, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def test_landmarks_in_place_move_nothing() -> None:
    points = _face(0)
    grid = spline_grid(points, points, 16)
    torch.testing.assert_close(grid.flatten(1, 2)[0], pixel_centres(16, points))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_affine_motion_is_reproduced_everywhere(smoothing: float) -> None:
    target = _face(1)
    turn, shift = torch.tensor([[0.9, 0.2], [-0.1, 1.1]]), torch.tensor([0.1, -0.05])
    grid = spline_grid(target @ turn + shift, target, 8, smoothing)
    expected = pixel_centres(8, target) @ turn + shift
    torch.testing.assert_close(grid.flatten(1, 2)[0], expected, atol=1e-4, rtol=0)


def test_each_landmark_goes_where_it_is_in_the_source() -> None:
    # One point is moved by 0.2, the other three stay: without smoothing the map hits all four.
    source = SQUARE.clone()
    source[0, 3, 0] += 0.2
    grid = spline_grid(source, SQUARE, 64, smoothing=0.0)
    at_landmarks = warp(grid.permute(0, 3, 1, 2), SQUARE[:, None])[0, :, 0].T
    torch.testing.assert_close(at_landmarks, source[0], atol=2e-3, rtol=0)


def test_weights_of_four_corners_by_hand() -> None:
    # Corners of a square of side 1. The part of a displacement d of one corner that is not affine has the signs + - - +
    # and the size d/4. K of those signs is φ(√2) - 2·φ(1) = 2·ln 2, as φ(1) = ln 1 = 0: so w = ± d / (8·ln 2), and at
    # the centre, as far (r² = 1/2) from all four, the kernels cancel: what is left is the affine part, d/4.
    d = 0.2
    source = SQUARE.clone()
    source[0, 3, 0] += d
    grid = spline_grid(source, SQUARE, 1, smoothing=0.0)
    torch.testing.assert_close(grid[0, 0, 0], torch.tensor([d / 4, 0.0]), atol=1e-5, rtol=0)
    # At (1, 1): r² to the four corners is 4.5, 2.5, 2.5, 0.5; the affine part is the bilinear form's linear one.
    w = d / (8 * math.log(2))
    kernel = w * (4.5 * math.log(4.5) - 2 * 2.5 * math.log(2.5) + 0.5 * math.log(0.5))
    affine = d / 4 + d / 2 * 1 + d / 2 * 1
    finer = spline_grid(source / 1.0, SQUARE, 64, smoothing=0.0)
    corner = 63 / 64  # centre of the last pixel; close to 1, and the map is smooth
    torch.testing.assert_close(finer[0, -1, -1, 0] - corner, torch.tensor(affine + kernel), atol=0.01, rtol=0)


def test_smoothing_gives_way_to_an_outlier() -> None:
    target = _face(2)
    source = target.clone()
    source[0, 0] += 0.3
    moved = [(spline_grid(source, target, 32, s) - spline_grid(target, target, 32, s)).abs().max() for s in (0.0, 1.0)]
    assert moved[1] < 0.5 * moved[0]


def test_gradients_to_both_sets_of_landmarks() -> None:
    source, target = _face(3, 6).double().requires_grad_(), _face(4, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, t: spline_grid(s, t, 4, 0.01), (source, target))


def test_a_batch_is_its_members() -> None:
    source, target = torch.cat([_face(5), _face(6)]), torch.cat([_face(7), _face(8)])
    both = spline_grid(source, target, 8)
    torch.testing.assert_close(both[1:], spline_grid(source[1:], target[1:], 8), atol=1e-4, rtol=1e-4)


def test_warping_along_no_motion_returns_the_picture() -> None:
    image = torch.rand(2, 3, 8, 8)
    still = pixel_centres(8, image).reshape(1, 8, 8, 2).expand(2, -1, -1, -1)
    torch.testing.assert_close(warp(image, still), image, atol=1e-5, rtol=0)


def test_a_shift_stays_a_shift_at_another_resolution() -> None:
    shift = torch.tensor([0.25, -0.5])
    grid = pixel_centres(4, shift).reshape(1, 4, 4, 2) + shift
    expected = pixel_centres(16, shift).reshape(1, 16, 16, 2) + shift
    torch.testing.assert_close(resized_grid(grid, 16), expected)


@pytest.mark.parametrize("index", [0, 3, 6])
def test_a_face_has_the_same_bits_wherever_it_stands_in_a_batch(index: int) -> None:
    draw = torch.Generator().manual_seed(0)
    source, target = (torch.rand(7, 68, 2, generator=draw) - 0.5 for _ in range(2))
    together = spline_grid(source, target, 32)[index]
    for copies in (1, 5):
        alone = spline_grid(
            source[index : index + 1].repeat(copies, 1, 1), target[index : index + 1].repeat(copies, 1, 1), 32
        )
        assert all(torch.equal(one, together) for one in alone)
