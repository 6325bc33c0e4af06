"""Each added term of the loss against its formula worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.training import extra_losses as additions
from mien.model.training import losses
from mien.model.training.loss_weights import PATENT, LossWeights

SIDE_PX = 32


def flat(value: float, side_px: int = SIDE_PX, batch: int = 1) -> torch.Tensor:
    return torch.full((batch, 3, side_px, side_px), value)


def face_points() -> torch.Tensor:
    return torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128))).float()[None] / 64 - 1


def test_region_weights_are_one_plus_the_regions_weight() -> None:
    weights = additions.region_weights(face_points(), SIDE_PX, mouth=3.0, eyes=0.5)
    assert sorted(set(weights.flatten().tolist())) == [1.0, 1.5, 4.0]
    plain = additions.region_weights(face_points(), SIDE_PX, mouth=0.0, eyes=0.0)
    assert torch.equal(plain, torch.ones(1, 1, SIDE_PX, SIDE_PX))


def test_weighted_l1() -> None:
    # One of four pixels weighs 3 and is off by 0.6 in one of three channels, 0.2 on average; another is off by 0.1 in
    # all: (3·0.2 + 1·0.1) / (3 + 1 + 1 + 1), in hundredths.
    target, drawn = flat(0.0, 2), flat(0.0, 2)
    drawn[0, 0, 0, 0] = 0.6
    drawn[0, :, 1, 1] = -0.1
    weights = torch.ones(1, 1, 2, 2)
    weights[0, 0, 0, 0] = 3
    assert additions.weighted_l1(target, drawn, weights).item() == pytest.approx(100 * 0.7 / 6)


def test_weights_of_one_give_the_applications_term() -> None:
    target, drawn = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    ours = additions.weighted_l1(target, drawn, torch.ones(2, 1, 8, 8))
    torch.testing.assert_close(ours, losses.reconstruction_loss(target, drawn))


def test_coarse_l1_sees_means_alone() -> None:
    # A chessboard of ±0.4 has the same means as grey; a shift of 0.03 counts at both scales.
    board = flat(0.4)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -0.4
    assert additions.coarse_l1(flat(0.0), board).item() == pytest.approx(0, abs=1e-4)
    assert additions.coarse_l1(flat(0.0), flat(0.03)).item() == pytest.approx(2 * 3, rel=1e-5)


def chessboard(contrast: float) -> torch.Tensor:
    board = flat(contrast)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -contrast
    return board


def test_texture_loss_of_half_the_contrast_is_the_logarithm_of_a_quarter_in_one_of_the_bands() -> None:
    # The means over squares of two pixels show nothing of a chessboard: all is in the finest band, E = c² + floor².
    floor = additions.TEXTURE_FLOOR**2
    by_hand = math.log((0.4**2 + floor) / (0.2**2 + floor)) / additions.TEXTURE_BANDS
    assert additions.texture_loss(chessboard(0.4), chessboard(0.2)).item() == pytest.approx(by_hand, rel=1e-4)
    assert additions.texture_loss(chessboard(0.2), chessboard(0.4)).item() == pytest.approx(by_hand, rel=1e-4)


def test_texture_loss_asks_how_strong_detail_is_and_not_where_it_lies() -> None:
    board = chessboard(0.3)
    assert additions.texture_loss(board, -board).item() == pytest.approx(0, abs=1e-6)
    mean = (board + -board) / 2
    assert additions.texture_loss(board, mean) > 1
    assert additions.texture_loss(flat(0.5), flat(-0.5)).item() == pytest.approx(0, abs=1e-6)


def test_texture_loss_does_not_take_grain_for_detail() -> None:
    """Contrasts far below the floor: a smooth wall need not get the grain of the photo."""
    grain = additions.TEXTURE_FLOOR / 10
    assert additions.texture_loss(chessboard(grain), flat(0.0)) < 0.02


def test_structure_loss_of_flat_pictures() -> None:
    # No variance: SSIM = (2·a·b + c1) / (a² + b² + c1) with c1 = (0.01·2)².
    a, b, c1 = 0.5, 0.25, 0.02**2
    by_hand = 1 - (2 * a * b + c1) / (a * a + b * b + c1)
    assert additions.structure_loss(flat(a), flat(b)).item() == pytest.approx(by_hand, rel=1e-3)


def test_structure_loss_of_a_picture_and_its_negative() -> None:
    # Stripes ±v around 0 in windows of 2: means 0, variances v², covariance −v²; SSIM = (c2 − 2v²) / (2v² + c2).
    stripes, v, c2 = flat(0.5, 8), 0.5, 0.06**2
    stripes[..., ::2] = -0.5
    by_hand = 1 - (c2 - 2 * v * v) / (2 * v * v + c2)
    assert additions.structure_loss(stripes, -stripes, window_px=2).item() == pytest.approx(by_hand, rel=1e-5)
    assert additions.structure_loss(stripes, stripes, window_px=2).item() == pytest.approx(0, abs=1e-6)


def test_flow_variation() -> None:
    # x flows 0.02 more with each column: neighbours across differ by 0.02 in one of two channels, down by nothing.
    flow = torch.zeros(1, 2, 4, 4)
    flow[0, 0] = torch.arange(4) * 0.02
    assert additions.flow_variation(flow).item() == pytest.approx(100 * 0.01)


def test_feature_distance_counts_layers_alike() -> None:
    # Layer 1: mean |difference| 0.5 of mean |feature| 1; layer 2: 20 of 40. Both one half.
    photo = [torch.tensor([1.0, -1.0]), torch.tensor([40.0, 40.0])]
    drawn = [torch.tensor([1.0, 0.0], requires_grad=True), torch.tensor([20.0, 60.0])]
    distance = additions.feature_distance(photo, drawn)
    assert distance.item() == pytest.approx(0.5)
    distance.backward()
    assert drawn[0].grad is not None


def test_identity_loss_is_the_squared_distance() -> None:
    drawn, photo = torch.tensor([[0.3, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.4], [0.0, 0.0]])
    assert additions.identity_loss(drawn, photo).item() == pytest.approx((0.09 + 0.16) / 2)


def test_the_applications_weights_leave_all_additions_out() -> None:
    assert (PATENT.gan, PATENT.l1, PATENT.cross_expression) == (0.5, 1.0, PATENT.gan)
    assert all(v == 0 for name, v in vars(PATENT).items() if name not in ("gan", "l1", "cross_expression"))
    assert all(v > 0 for v in vars(LossWeights()).values())
