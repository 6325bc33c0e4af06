"""The spline on the face, the head's motion around it."""

from __future__ import annotations

import numpy as np
import torch

from mien.model.landmarks.alignment import apply_transform, similarity_transform
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.warping.landmark_flow import REACH, face_grid, outline_motion
from mien.model.warping.pixel_grid import pixel_centres
from mien.model.warping.thin_plate_spline import spline_grid

CALM = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128)) / 64 - 1)[None]


def opened(points: torch.Tensor) -> torch.Tensor:
    """Chin and lower lip 0.2 further down."""
    moved = points.clone()
    moved[:, [*range(5, 12), *range(55, 60), 65, 66, 67], 1] += 0.2
    return moved


def test_a_head_that_turns_and_grows_takes_everything_along() -> None:
    turned = CALM @ torch.tensor([[0.9, 0.3], [-0.3, 0.9]], dtype=torch.float64) + torch.tensor([0.05, -0.1])
    grid = face_grid(CALM, turned, 32)
    back = (pixel_centres(32, CALM) - torch.tensor([0.05, -0.1])) @ torch.linalg.inv(
        torch.tensor([[0.9, 0.3], [-0.3, 0.9]], dtype=torch.float64)
    )
    torch.testing.assert_close(grid.reshape(1, -1, 2), back[None], atol=1e-9, rtol=0)


def test_on_the_face_it_is_the_spline() -> None:
    target = opened(CALM)
    motion, spline = face_grid(CALM, target, 128), spline_grid(CALM, target, 128)
    pixels = pixel_centres(128, CALM).reshape(1, 128, 128, 1, 2)
    apart = (pixels - target[:, None, None]).norm(dim=-1).amin(-1)
    close = apart < 0.02
    assert close.sum() > 50
    around = outline_motion(CALM, target, pixel_centres(128, CALM)).reshape(1, 128, 128, 2)
    share = 1 - np.exp(-((0.02 / REACH) ** 2))
    assert ((motion - spline).norm(dim=-1) <= share * (spline - around).norm(dim=-1) + 1e-9)[close].all()


def test_far_from_the_face_it_is_the_similarity_of_the_outline() -> None:
    target = opened(CALM)
    expected = similarity_transform(target[0, :17].numpy(), CALM[0, :17].numpy())
    pixels = pixel_centres(8, CALM) * 6  # far beyond the picture
    moved = outline_motion(CALM, target, pixels)
    np.testing.assert_allclose(moved[0].numpy(), apply_transform(expected, pixels.numpy()), atol=1e-9)
    corner = face_grid(CALM, target, 64)[0, 0, 0]
    pixel = pixel_centres(64, CALM)[:1]
    apart = (pixel - target[0]).norm(dim=-1).min()
    spline = spline_grid(CALM, target, 64)[0, 0, 0]
    around = torch.from_numpy(apply_transform(expected, pixel.numpy()))[0]
    torch.testing.assert_close(corner, around + torch.exp(-((apart / REACH) ** 2)) * (spline - around))


def test_gradients_are_those_of_differences() -> None:
    draw = torch.Generator().manual_seed(0)
    target = (opened(CALM) + 0.01 * torch.randn(1, 68, 2, generator=draw, dtype=torch.float64)).requires_grad_()
    source = CALM.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, t: face_grid(s, t, 3), (source, target), fast_mode=True)
