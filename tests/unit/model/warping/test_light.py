"""Further photos get the light of the first, and nothing but its light."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mien.model.warping.face_swap import inner_face
from mien.model.warping.light import MOST, light_gains, lit
from mien.model.warping.masks import Region, region_mask
from tests.drawn_faces import drawn_faces

SIDE_PX = 64


@pytest.fixture(scope="module")
def face() -> tuple[Tensor, Tensor]:
    """A picture of brightness 0.2 to 0.6 in [-1, 1], and its landmarks."""
    faces = drawn_faces(people=2, each=1, size_px=SIDE_PX)
    grey = torch.from_numpy(faces.images[:1]).float() / 255
    return (0.2 + 0.4 * grey) * 2 - 1, torch.from_numpy(faces.landmarks[:1]).float()


def in_light(picture: Tensor, light: Tensor | float) -> Tensor:
    return (picture + 1) * light - 1


def on_skin(difference: Tensor, points: Tensor) -> float:
    """Its mean amount on the inner face: away from it the gain is on its way to 1."""
    face = inner_face(points, SIDE_PX)
    return float((difference.abs() * face).sum() / face.sum() / 3)


def side_light() -> Tensor:
    return torch.linspace(0.6, 1.5, SIDE_PX).expand(1, 3, SIDE_PX, SIDE_PX)


def test_the_first_source_stays_as_it_is(face: tuple[Tensor, Tensor]) -> None:
    picture, points = face
    gains = light_gains(torch.stack([picture, in_light(picture, 0.5)], 1), points)
    assert (gains[:, 0] == 1).all()
    assert torch.equal(lit(picture, gains[:, 0]), picture)
    assert (light_gains(picture[:, None], points) == 1).all()


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.6])
def test_a_darker_or_brighter_photo_becomes_the_first(face: tuple[Tensor, Tensor], factor: float) -> None:
    picture, points = face
    other = in_light(picture, factor)
    made = lit(other, light_gains(torch.stack([picture, other], 1), points)[:, 1])
    assert on_skin(made - picture, points) < 0.15 * on_skin(other - picture, points)


def test_light_from_one_side_is_evened_out(face: tuple[Tensor, Tensor]) -> None:
    picture, points = face
    other = in_light(picture, side_light())
    made = lit(other, light_gains(torch.stack([picture, other], 1), points)[:, 1])
    assert on_skin(made - picture, points) < 0.5 * on_skin(other - picture, points)


def test_an_open_mouth_and_shut_eyes_are_no_light(face: tuple[Tensor, Tensor]) -> None:
    picture, points = face
    other = picture.clone()
    regions: dict[Region, float] = {"mouth": -1.0, "eyes": 0.4}
    for region, value in regions.items():
        other = torch.where(region_mask(points, SIDE_PX, region).bool(), value, other)
    assert (other - picture).abs().max() > 0.3
    assert torch.equal(light_gains(torch.stack([picture, other], 1), points), torch.ones(1, 2, 3, SIDE_PX, SIDE_PX))


def test_no_light_is_made_of_black_and_numbers_stay_numbers(face: tuple[Tensor, Tensor]) -> None:
    picture, points = face
    black, white = torch.full_like(picture, -1.0), torch.ones_like(picture)
    gains = light_gains(torch.stack([picture, black, white], 1), points)
    assert gains.isfinite().all()
    assert (gains.min() >= 1 / MOST, gains.max() <= MOST) == (True, True)
    assert (lit(white, gains[:, 1]) <= 1).all()
    assert light_gains(torch.stack([black, black], 1), points).allclose(torch.ones(1))
    nowhere = torch.zeros(1, 68, 2)  # all landmarks in one point
    assert light_gains(torch.stack([picture, white], 1), nowhere).isfinite().all()


def test_colours_are_matched_each_by_itself(face: tuple[Tensor, Tensor]) -> None:
    picture, points = face
    tint = torch.tensor([1.3, 1.0, 0.7])[None, :, None, None].expand_as(picture)
    gains = light_gains(torch.stack([picture, in_light(picture, tint)], 1), points)[0, 1, :, 32, 32]
    assert gains[0] < 0.9 < gains[1] < 1.1 < gains[2]
