"""What is made of a photo without colours has none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mien.model.images.tensors import to_uint8
from mien.model.networks.base import Sources
from mien.model.networks.config import GeneratorConfig, GeneratorKind
from mien.model.networks.generator import build_generator
from mien.model.warping.colours import brightness, coloured_as
from tests.drawn_faces import drawn_faces

SEPIA = torch.tensor([1.0, 0.85, 0.65])[:, None, None]


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def grey_photos(sources: int = 1) -> Tensor:
    return noise(2, sources, 1, 64, 64).expand(-1, -1, 3, -1, -1)


def tinted(grey: Tensor) -> Tensor:
    return (grey + 1) * SEPIA - 1


def present(photos: Tensor) -> Tensor:
    return torch.ones(photos.shape[:2], dtype=torch.bool)


def test_a_grey_photo_gives_a_grey_picture_to_the_bit() -> None:
    photos, image = grey_photos(), noise(2, 3, 32, 32, seed=2)
    pixels = to_uint8(coloured_as(image, photos, present(photos)))
    assert (pixels == pixels[..., :1]).all()
    torch.testing.assert_close(brightness(coloured_as(image, photos, present(photos))), brightness(image))


def test_a_sepia_photo_gives_sepia() -> None:
    photos, image = tinted(grey_photos()), noise(2, 3, 32, 32, seed=2)
    toned = coloured_as(image, photos, present(photos))
    grey = (toned[:, :1] + 1) / SEPIA[:1] - 1
    torch.testing.assert_close(toned, tinted(grey), atol=2e-3, rtol=0)


def test_a_colour_photo_takes_nothing_away() -> None:
    photos, image = noise(2, 1, 3, 64, 64), noise(2, 3, 32, 32, seed=2)
    torch.testing.assert_close(coloured_as(image, photos, present(photos)), image)


def test_a_picture_drawn_in_half_precision_is_toned_in_full() -> None:
    photos, image = noise(2, 1, 3, 64, 64), noise(2, 3, 32, 32, seed=2).bfloat16()
    torch.testing.assert_close(coloured_as(image, photos, present(photos)), image.float())


def test_one_photo_in_colour_is_enough() -> None:
    photos, image = grey_photos(2).clone(), noise(2, 3, 32, 32, seed=2)
    photos[:, 1] = noise(2, 3, 64, 64, seed=3)
    torch.testing.assert_close(coloured_as(image, photos, present(photos)), image)


def test_what_only_fills_up_has_no_colours_to_give() -> None:
    photos, image = grey_photos(2).clone(), noise(2, 3, 32, 32, seed=2)
    photos[:, 1] = noise(2, 3, 64, 64, seed=3)
    first = torch.tensor([[True, False]] * 2)
    pixels = to_uint8(coloured_as(image, photos, first))
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("kind", ["motion", "residual"])
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_one_colour_all_over_is_no_division_by_zero(kind: GeneratorKind, value: float) -> None:
    faces = drawn_faces(people=1, each=2)
    sources, asked = faces.sources(torch.tensor([0]).numpy()), faces.keypoints(torch.tensor([1]).numpy())
    plain = Sources(torch.full_like(sources.photos, value), sources.heatmaps, sources.points, sources.present)
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(kind=kind, size_px=64, width=8, blocks=1))
    pixels = to_uint8(generator(plain, asked).image.detach())
    assert (pixels == pixels[..., :1]).all()
