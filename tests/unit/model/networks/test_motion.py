"""The motion generator: what it is made of, and where its motion goes."""

from __future__ import annotations

import pytest
import torch

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Motion
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.model.networks.motion import MAX_FLOW
from mien.model.warping.pixel_grid import pixel_grid
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=2, each=2)
FIRST, SECOND = torch.tensor([0, 2]).numpy(), torch.tensor([1, 3]).numpy()


def motion_of(source: torch.Tensor, mine: KeypointInfo, asked: KeypointInfo) -> tuple[torch.Tensor, Motion]:
    torch.manual_seed(0)
    generated = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))(source, mine, asked)
    assert generated.motion is not None
    return generated.image, generated.motion


def test_the_image_is_the_moved_source_through_the_mask_with_the_layer_on_top() -> None:
    image, motion = motion_of(FACES.photos(FIRST), FACES.keypoints(FIRST), FACES.keypoints(SECOND))
    torch.testing.assert_close(image, (motion.mask * motion.warped + motion.drawn).clamp(-1, 1))
    assert motion.mask.min() > 0
    assert motion.mask.max() < 1


def test_without_a_change_of_landmarks_all_motion_is_the_networks() -> None:
    keypoints = FACES.keypoints(FIRST)
    _, motion = motion_of(FACES.photos(FIRST), keypoints, keypoints)
    still = pixel_grid(motion.residual)
    torch.testing.assert_close(motion.grid, still + motion.residual.permute(0, 2, 3, 1), atol=1e-4, rtol=0)


def test_landmarks_that_shift_move_the_source_along() -> None:
    # Everything asked for lies 0.25 to the right: the source of each pixel is 0.25 to the left.
    keypoints = FACES.keypoints(FIRST)
    shifted = KeypointInfo(keypoints.heatmaps, keypoints.points + torch.tensor([0.25, 0.0]))
    _, motion = motion_of(FACES.photos(FIRST), keypoints, shifted)
    spline = motion.grid - motion.residual.permute(0, 2, 3, 1) - pixel_grid(motion.residual)
    torch.testing.assert_close(spline, torch.tensor([-0.25, 0.0]).expand_as(spline), atol=1e-3, rtol=0)


def test_the_residual_flow_is_bounded() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=1))
    for weight in generator.parameters():
        weight.data *= 50
    motion = generator(FACES.photos(FIRST), FACES.keypoints(FIRST), FACES.keypoints(SECOND)).motion
    assert motion is not None
    assert motion.residual.abs().max() <= 2 * MAX_FLOW  # two heads


def test_features_that_grow_beyond_measure_do_not_saturate_what_is_drawn() -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=8, blocks=4))
    for name, weight in generator.named_parameters():
        if name.split(".")[0] not in generator.ENDS and weight.ndim == 4:
            weight.data *= 30
    generated = generator(FACES.photos(FIRST), FACES.keypoints(FIRST), FACES.keypoints(SECOND))
    assert generated.motion is not None
    assert 0.05 < generated.motion.mask.mean() < 0.95
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
    generator(FACES.photos(FIRST), FACES.keypoints(FIRST), FACES.keypoints(SECOND)).image.square().sum().backward()
    without = [name for name, w in generator.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    assert without == []
