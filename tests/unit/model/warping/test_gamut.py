"""Teeth and whites of eyes have no colours that the face in the photos does not have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.networks.base import Sources
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.model.warping.colours import brightness
from mien.model.warping.gamut import within_gamut
from mien.model.warping.masks import opening_maps

SIDE_PX = 64
CALM = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=SIDE_PX)) / SIDE_PX * 2 - 1).float()
SKIN, GREEN_TEETH = torch.tensor([0.5, 0.1, -0.1]), torch.tensor([0.3, 0.6, 0.2])


def open_mouth() -> Tensor:
    """The calm landmarks with the lower lip far down."""
    points = CALM.clone()
    points[[65, 66, 67, 55, 56, 57, 58, 59], 1] += 0.25
    return points


def skin(light: Tensor | float = 0.0, sources: int = 1) -> Tensor:
    """Photos of skin of many brightnesses, in this light; a hundredth of it is white."""
    shades = torch.rand(1, sources, 1, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2
    photos = (SKIN[:, None, None] + 1) * shades + light - 1
    white = torch.rand(1, sources, 1, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1)) < 0.03
    return torch.where(white, 0.6 + torch.zeros(3, 1, 1) + light, photos).clamp(-1, 1)


def green_mouth(photos: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The first photo with greenish teeth where the mouth opens; and where it does."""
    opening = opening_maps(points[None], SIDE_PX)[:, :1]
    return torch.where(opening > 0, GREEN_TEETH[:, None, None], photos[:, 0]), opening[:, 0] == 1


def green(pixels: Tensor) -> Tensor:
    red, own, blue = pixels.unbind(1)
    return own - (red + blue) / 2


def limited(image: Tensor, asked: Tensor, photos: Tensor, present: list[bool] | None = None) -> Tensor:
    points = CALM.expand(1, photos.shape[1], 68, 2)
    there = torch.tensor([present or [True] * photos.shape[1]])
    return within_gamut(image, asked[None], photos, points, there)


def test_teeth_are_no_greener_than_the_face_and_as_bright_as_drawn() -> None:
    photos = skin()
    image, inside = green_mouth(photos, open_mouth())
    result = limited(image, open_mouth(), photos)
    assert green(image)[inside].min() > 0.3
    assert green(result)[inside].abs().max() < 0.02
    torch.testing.assert_close(brightness(result), brightness(image))


def test_beside_the_openings_nothing_changes() -> None:
    photos = skin()
    image, _ = green_mouth(photos, open_mouth())
    result = limited(image, open_mouth(), photos)
    beside = opening_maps(open_mouth()[None], SIDE_PX).sum(1, keepdim=True) == 0
    assert torch.equal(result * beside, image * beside)
    shut = CALM.clone()
    for upper, lower in (((61, 62, 63), (67, 66, 65)), ((37, 38), (41, 40)), ((43, 44), (47, 46))):
        shut[list(lower)] = shut[list(upper)]
    assert torch.equal(limited(image, shut, photos), image)


def test_what_the_face_has_may_be_drawn() -> None:
    photos = skin()
    drawn = photos[:, 0].flip(-1)
    changed = (limited(drawn, open_mouth(), photos) - drawn).abs().amax(1)
    assert (changed > 0.02).float().mean() < 0.02


@pytest.mark.parametrize("light", [torch.tensor([-0.1, 0.1, -0.1]), torch.tensor([-0.1, -0.1, 0.15])])
def test_in_coloured_light_teeth_have_its_colour(light: Tensor) -> None:
    photos = skin(light[:, None, None])
    white = (0.6 + light)[:, None, None]
    image = torch.where(opening_maps(open_mouth()[None], SIDE_PX)[:, :1] > 0, white, photos[:, 0])
    torch.testing.assert_close(limited(image, open_mouth(), photos), image)


def test_photos_that_only_fill_up_do_not_count() -> None:
    photos = skin(sources=2).clone()
    photos[:, 1] = GREEN_TEETH[:, None, None]
    image, inside = green_mouth(photos, open_mouth())
    assert green(limited(image, open_mouth(), photos, [True, False]))[inside].max() < 0.02
    assert torch.equal(limited(image, open_mouth(), photos), image)


def test_without_a_face_in_the_photo_there_is_no_limit() -> None:
    photos = skin()
    image, _ = green_mouth(photos, open_mouth())
    points = (CALM + 5).expand(1, 1, 68, 2)
    assert torch.equal(
        within_gamut(image, open_mouth()[None], photos, points, torch.ones(1, 1, dtype=torch.bool)), image
    )


def test_half_precision_becomes_full_and_gradients_are_numbers() -> None:
    photos = skin()
    image, _ = green_mouth(photos, open_mouth())
    half = image.bfloat16().requires_grad_()
    result = limited(half, open_mouth(), photos)
    assert result.dtype == torch.float32
    result.square().sum().backward()
    assert half.grad is not None
    assert half.grad.isfinite().all()


def test_the_motion_generator_draws_within_it() -> None:
    torch.manual_seed(0)
    network = build_generator(GeneratorConfig(size_px=SIDE_PX, width=16, blocks=1)).eval()
    with torch.no_grad():  # its layer adds green everywhere
        network.draw.weight.zero_()
        network.draw.bias.view(3, -1)[1] = 0.5
    heatmaps = torch.zeros(1, 8, SIDE_PX, SIDE_PX)
    photos, asked = skin(), KeypointInfo(heatmaps + 0.5, open_mouth()[None])
    with torch.no_grad():
        result = network(Sources.single(photos[:, 0], KeypointInfo(heatmaps, CALM[None])), asked).image
    inside = opening_maps(open_mouth()[None], SIDE_PX)[:, 0] == 1
    assert green(result)[inside].max() < 0.03
    assert green(result)[~inside].mean() > 0.1
