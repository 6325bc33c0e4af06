"""The motion generator: what it is made of, and where its motion goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Motion, Sources
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.model.networks.motion import FARTHER, MAX_FLOW, MOTION_PX, mixed, precedence, shares, unfolded
from mien.model.warping.gamut import within_gamut
from mien.model.warping.landmark_flow import face_grid
from mien.model.warping.pixel_grid import pixel_grid
from mien.model.warping.restraint import restrained
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=2, each=2)
FIRST, SECOND = torch.tensor([0, 2]).numpy(), torch.tensor([1, 3]).numpy()


def motion_of(source: torch.Tensor, mine: KeypointInfo, asked: KeypointInfo) -> tuple[torch.Tensor, Motion]:
    torch.manual_seed(0)
    sources = Sources.single(source, mine)
    generated = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))(sources, asked)
    assert generated.motion is not None
    return generated.image, generated.motion


def test_the_image_is_the_moved_source_through_the_mask_with_the_layer_on_top() -> None:
    image, motion = motion_of(FACES.photos(FIRST), FACES.keypoints(FIRST), FACES.keypoints(SECOND))
    shown = (motion.masks[:, 0] * motion.warped[:, 0] + motion.drawn).clamp(-1, 1)
    own, asked, sources = FACES.keypoints(FIRST), FACES.keypoints(SECOND), FACES.sources(FIRST)
    shown = within_gamut(shown, asked.points, sources.photos, sources.points, sources.present)
    spline = face_grid(own.points, asked.points, MOTION_PX)
    torch.testing.assert_close(image, restrained(shown, FACES.photos(FIRST), spline, own, asked))
    assert motion.masks.min() > 0
    assert motion.masks.max() < 1


def test_without_a_change_of_landmarks_all_motion_is_the_networks() -> None:
    keypoints = FACES.keypoints(FIRST)
    _, motion = motion_of(FACES.photos(FIRST), keypoints, keypoints)
    still = pixel_grid(motion.residual[:, 0])
    torch.testing.assert_close(motion.grid, still + motion.residual.permute(0, 1, 3, 4, 2), atol=1e-4, rtol=0)


def test_landmarks_that_shift_move_the_source_along() -> None:
    # Everything asked for lies 0.25 to the right: the source of each pixel is 0.25 to the left.
    keypoints = FACES.keypoints(FIRST)
    shifted = KeypointInfo(keypoints.heatmaps, keypoints.points + torch.tensor([0.25, 0.0]))
    _, motion = motion_of(FACES.photos(FIRST), keypoints, shifted)
    spline = motion.grid - motion.residual.permute(0, 1, 3, 4, 2) - pixel_grid(motion.residual[:, 0])
    torch.testing.assert_close(spline, torch.tensor([-0.25, 0.0]).expand_as(spline), atol=1e-3, rtol=0)


def test_the_residual_flow_is_bounded() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))
    for weight in generator.parameters():
        weight.data *= 50
    motion = generator(FACES.sources(FIRST), FACES.keypoints(SECOND)).motion
    assert motion is not None
    assert motion.residual.abs().max() <= 2 * MAX_FLOW  # two heads


def test_features_that_grow_beyond_measure_do_not_saturate_what_is_drawn() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=4))
    for name, weight in generator.named_parameters():
        if name.split(".")[0] not in generator.ENDS and weight.ndim == 4:
            weight.data *= 30
    generated = generator(FACES.sources(FIRST), FACES.keypoints(SECOND))
    assert generated.motion is not None
    assert 0.05 < generated.motion.masks.mean() < 0.95
    assert generated.motion.drawn.abs().mean() < 0.7
    generated.image.square().mean().backward()
    gradient = generator.draw.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 1e-4


@pytest.mark.parametrize("size_px", [64, 256, 512])
def test_the_finest_grid(size_px: int) -> None:
    assert GeneratorConfig(size_px=size_px).fine_px == {64: 32, 256: 64, 512: 128}[size_px]


def test_gradients_reach_every_weight() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))
    both = np.stack([FIRST, SECOND], axis=1)  # with one source there is nothing to choose between
    generator(FACES.sources(both), FACES.keypoints(SECOND)).image.square().sum().backward()
    without = [name for name, w in generator.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    assert without == []


def several(rows: list[list[int]], present: list[list[bool]] | None = None) -> torch.Tensor:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))
    for name in ("rate", "rate_deep"):
        torch.nn.init.normal_(generator.get_parameter(f"{name}.weight"))
    there = None if present is None else np.array(present)
    with torch.no_grad():
        return generator(FACES.sources(np.array(rows), present=there), FACES.keypoints(np.array([1]))).image


def test_what_only_fills_up_has_no_effect() -> None:
    alone = several([[0]])
    for other in (2, 3):
        torch.testing.assert_close(several([[0, other]], [[True, False]]), alone)
    assert not torch.allclose(several([[0, 2]]), alone, atol=1e-2)


def test_the_order_of_further_sources_does_not_matter() -> None:
    torch.testing.assert_close(several([[0, 2, 3]]), several([[0, 3, 2]]))
    # That of the first one does only where it is to stay as it is.
    apart = (several([[0, 2, 3]]) - several([[3, 0, 2]])).abs().amax((0, 1))
    keypoints, asked = FACES.keypoints(np.array([0, 3])), FACES.keypoints(np.array([1, 1]))
    ones = torch.ones(2, 3, *apart.shape)
    kept = restrained(0 * ones, ones, face_grid(keypoints.points, asked.points, MOTION_PX), keypoints, asked)
    assert apart[kept.amax((0, 1)) < 1e-3].max() < 1e-2


def test_a_face_that_is_to_stay_as_it_is_stays() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))
    with torch.no_grad():
        image = generator(FACES.sources(FIRST), FACES.keypoints(FIRST)).image
        of_two = generator(FACES.sources(np.stack([FIRST, SECOND], 1)), FACES.keypoints(FIRST)).image
    torch.testing.assert_close(image, FACES.photos(FIRST), atol=1e-3, rtol=0)
    torch.testing.assert_close(of_two, FACES.photos(FIRST), atol=1e-3, rtol=0)


def test_masks_leave_a_share_that_shows_no_source() -> None:
    logits = torch.tensor([1.0, -2.0, 0.5])[None, :, None, None, None]
    shown = shares(logits, torch.tensor([[True, True, False]]))
    none = 1 / (1 + np.exp(1.0) + np.exp(-2.0))
    expected = torch.tensor([np.exp(1.0) * none, np.exp(-2.0) * none, 0.0], dtype=torch.float32)
    torch.testing.assert_close(shown[0, :, 0, 0, 0], expected)
    single = shares(logits[:, :1], torch.tensor([[True]]))
    torch.testing.assert_close(single, torch.sigmoid(logits[:, :1]))


def test_what_has_to_be_moved_least_comes_first_at_each_position() -> None:
    motion = pixel_grid(torch.zeros(1, 1, 4, 4)).repeat(1, 3, 1, 1, 1)
    motion[:, 0, :, :2, 0] += 0.02  # the left half of the first source, the right half of the second
    motion[:, 1, :, 2:, 1] -= 0.01
    motion[:, 2] += 0.3
    told = precedence(motion, torch.ones(1, 3, dtype=torch.bool))[0, :, 0]
    assert torch.equal(told.amax(0), torch.zeros(4, 4))
    torch.testing.assert_close(told[0, :, :2], torch.full((4, 2), -0.02 * FARTHER))
    torch.testing.assert_close(told[1, :, 2:], torch.full((4, 2), -0.01 * FARTHER))
    assert (told[2] < -50).all()
    alone = precedence(motion, torch.tensor([[False, False, True]]))[0, :, 0]
    assert torch.equal(alone[2], torch.zeros(4, 4))  # of a single one nothing is told


def test_the_mean_of_sources_is_weighted_by_their_rates() -> None:
    features = torch.tensor([1.0, 5.0])[:, None, None, None].expand(2, 3, 4, 4)
    rates = torch.tensor([0.0, float(np.log(3.0))])[:, None, None, None].expand(2, 1, 2, 2)
    both = mixed(features, rates, torch.tensor([[True, True]]))
    torch.testing.assert_close(both, torch.full((1, 3, 4, 4), 4.0))
    torch.testing.assert_close(mixed(features, rates, torch.tensor([[True, False]])), features[:1])


def test_stripes_and_grids_between_the_pixels_of_a_fold_are_not_drawn() -> None:
    folded = torch.zeros(1, 4, 8, 8)
    for pattern in ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1)):  # columns, rows, a chessboard
        folded[:] = torch.tensor(pattern, dtype=torch.float32)[None, :, None, None]
        assert unfolded(folded, 2)[..., 1:-1, 1:-1].abs().max() < 1e-6
    smooth = torch.arange(8.0).expand(1, 4, 8, 8)
    steps = unfolded(smooth, 2)[0, 0, 4].diff()
    assert (steps >= 0).all()
    assert unfolded(torch.ones(1, 12, 8, 8), 2).shape == (1, 3, 16, 16)
    torch.testing.assert_close(unfolded(torch.ones(1, 12, 8, 8), 2), torch.ones(1, 3, 16, 16))
