"""The inner face of another picture, moved and coloured as the one that it is put into."""

from __future__ import annotations

import torch

from mien.model.warping.face_swap import inner_face, swapped_faces
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=3, each=1)
POINTS = torch.from_numpy(FACES.points).float()
IMAGES = FACES.photos(torch.arange(3).numpy())


def test_a_face_put_into_its_own_picture_changes_hardly_anything() -> None:
    swapped = swapped_faces(IMAGES, POINTS, IMAGES, POINTS)
    assert (swapped - IMAGES).abs().mean() < 0.02


def test_around_the_face_the_picture_stays_and_inside_it_is_the_others() -> None:
    others = torch.rand(IMAGES.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    swapped = swapped_faces(IMAGES, POINTS, others, POINTS)
    mask = inner_face(POINTS, IMAGES.shape[-1])
    outside = (mask < 1e-3).expand_as(IMAGES)
    assert outside.float().mean() > 0.2
    torch.testing.assert_close(swapped[outside], IMAGES[outside], atol=2e-3, rtol=0)
    inside = (mask > 0.99).expand_as(IMAGES)
    assert torch.corrcoef(torch.stack([swapped[inside], others[inside]]))[0, 1] > 0.5


def test_colours_are_those_of_the_picture() -> None:
    darker = (IMAGES * 0.5 - 0.4).clamp(-1, 1)
    torch.testing.assert_close(
        swapped_faces(IMAGES, POINTS, darker, POINTS), swapped_faces(IMAGES, POINTS, IMAGES, POINTS), atol=0.02, rtol=0
    )


def test_the_mask_has_the_landmarks_of_the_inner_face_and_not_the_jaw() -> None:
    mask = inner_face(POINTS, 64)[:, 0]
    columns, rows = (((POINTS + 1) * 32).long().clamp(0, 63)).unbind(-1)
    at = torch.stack([mask[n, rows[n], columns[n]] for n in range(3)])
    assert (at[:, 27:68] > 0.5).all()
    assert (at[:, [0, 8, 16]] < 0.5).all()
    assert mask[:, 0, 0].max() < 1e-3


def test_gradients_reach_both_pictures() -> None:
    first, second = IMAGES.clone().requires_grad_(), IMAGES.flip(0).clone().requires_grad_()
    swapped_faces(first, POINTS, second, POINTS.flip(0)).sum().backward()
    assert all(image.grad is not None and image.grad.abs().sum() > 0 for image in (first, second))
