"""Shapes, sizes and properties of the three networks."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from mien.model.errors import SettingsError
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.networks.base import Sources
from mien.model.networks.blocks import HEATMAP_GAIN, folded_heatmaps, level, resize_heatmaps
from mien.model.networks.config import SIZES_PX, WIDTHS, GeneratorConfig, GeneratorKind
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.generator import GENERATORS, build_generator
from mien.model.networks.residual import blended


def keypoints(batch: int = 2, side_px: int = 64) -> KeypointInfo:
    random = torch.Generator().manual_seed(1)
    heatmaps = torch.rand(batch, 8, side_px, side_px, generator=random)
    return KeypointInfo(heatmaps, torch.rand(batch, 68, 2, generator=random) * 2 - 1)


def images(batch: int, size_px: int, seed: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, size_px, size_px, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("size_px", SIZES_PX)
def test_the_generator_draws_images_of_its_size(kind: GeneratorKind, size_px: int) -> None:
    generator = build_generator(GeneratorConfig(kind=kind, size_px=size_px, width=16, blocks=1))
    drawn = generator(Sources.single(images(2, size_px), keypoints()), keypoints()).image
    assert drawn.shape == (2, 3, size_px, size_px)
    assert drawn.abs().max() <= 1


@pytest.mark.parametrize("kind", GENERATORS)
def test_the_generator_listens_to_all_three_inputs(kind: GeneratorKind) -> None:
    generator = build_generator(GeneratorConfig(kind=kind, size_px=64, width=16, blocks=1))
    photo, mine, asked = images(2, 64), keypoints(), keypoints()
    drawn = generator(Sources.single(photo, mine), asked).image
    silent = KeypointInfo(torch.zeros_like(mine.heatmaps), mine.points)
    assert not torch.equal(generator(Sources.single(images(2, 64, seed=3), mine), asked).image, drawn)
    assert not torch.equal(generator(Sources.single(photo, silent), asked).image, drawn)
    assert not torch.equal(generator(Sources.single(photo, mine), silent).image, drawn)


def test_the_mask_lets_the_source_through() -> None:
    source, drawn = images(1, 4), images(1, 4, seed=3)
    shut, open_, half = (torch.full((1, 1, 4, 4), logit) for logit in (-40.0, 40.0, 0.0))
    torch.testing.assert_close(blended(source, drawn, shut), drawn)
    torch.testing.assert_close(blended(source, drawn, open_), source)
    torch.testing.assert_close(blended(source, drawn, half), (source + drawn) / 2)


def test_without_the_mask_every_pixel_is_drawn() -> None:
    plain = build_generator(GeneratorConfig(kind="residual", size_px=64, width=16, blocks=1, keeps_source=False))
    assert plain.get_parameter("draw.weight").shape[0] == 3
    assert plain(Sources.single(images(2, 64), keypoints()), keypoints()).image.abs().max() < 1


@pytest.mark.parametrize("kind", GENERATORS)
def test_generators_at_128_px_have_at_most_8_million_weights(kind: GeneratorKind) -> None:
    weights = sum(
        weight.numel() for weight in build_generator(GeneratorConfig(kind=kind, width=WIDTHS[kind])).parameters()
    )
    assert 0.8e6 < weights < 8e6


def test_a_size_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="size_px is 100: choose one of 64, 96, 128, 256, 512"):
        GeneratorConfig(size_px=100)


def test_every_kind_of_generator_is_in_the_registry() -> None:
    assert set(GENERATORS) == set(get_args(GeneratorKind))


@pytest.mark.parametrize("size_px", SIZES_PX)
def test_discriminators_give_a_logit_per_pair(size_px: int) -> None:
    config = GeneratorConfig(size_px=size_px)
    identity = IdentityDiscriminator(config.size_px, config.patch_px, width=8)
    expression = ExpressionDiscriminator(config.patch_px, config.core_px, width=8)
    assert identity(images(2, size_px), images(2, size_px, seed=3)).shape == (2,)
    assert expression(images(2, size_px), keypoints()).shape[0] == 2


def test_the_expression_discriminator_sees_openings_only_where_it_is_to() -> None:
    image, heatmaps = images(1, 128), keypoints(1, 64).heatmaps
    points = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128)))[None].float() / 64 - 1
    lowered = points.clone()
    lowered[:, [65, 66, 67]] += torch.tensor([0.0, 0.2])
    for openings in (True, False):
        network = ExpressionDiscriminator(4, 32, width=8, openings=openings)
        same = torch.equal(*(network(image, KeypointInfo(heatmaps, asked)) for asked in (points, lowered)))
        assert same is not openings


def test_the_identity_discriminator_does_not_care_which_photo_comes_first() -> None:
    identity = IdentityDiscriminator(size_px=128, patch_px=4, width=8)
    first, second = images(2, 128), images(2, 128, seed=3)
    torch.testing.assert_close(identity(first, second), identity(second, first))


def test_folded_heatmaps_keep_every_value_at_twice_the_grid() -> None:
    heatmaps = keypoints(1, 64).heatmaps
    folded = folded_heatmaps(heatmaps, 32)
    assert folded.shape == (1, 32, 32, 32)
    torch.testing.assert_close(
        folded[0, 5, 3, 7] / HEATMAP_GAIN, heatmaps[0, 1, 6, 15]
    )  # part 1, position (0, 1) of its 2 × 2


@pytest.mark.parametrize("side_px", [16, 128])
def test_resized_heatmaps_keep_their_mean(side_px: int) -> None:
    heatmaps = keypoints(1, 64).heatmaps
    torch.testing.assert_close(resize_heatmaps(heatmaps, side_px).mean(), heatmaps.mean(), atol=2e-3, rtol=0)


def test_levelling_divides_each_pixel_by_its_own_root_mean_square() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 1000.0], [0.0, 0.0]]).reshape(3, 2, 1, 1)
    expected = torch.tensor([[3 / 12.5**0.5, 4 / 12.5**0.5], [0.0, 2**0.5], [0.0, 0.0]]).reshape(3, 2, 1, 1)
    torch.testing.assert_close(level(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", GENERATORS)
def test_weights_fit_another_side_where_as_many_pixels_become_channels(kind: GeneratorKind) -> None:
    configs = [GeneratorConfig(kind=kind, size_px=side, width=8, blocks=1) for side in SIZES_PX]
    shapes = {config: [weight.shape for weight in build_generator(config).state_dict().values()] for config in configs}
    for first in configs:
        for second in configs:
            assert (shapes[first] == shapes[second]) == (first.fold_px == second.fold_px)
