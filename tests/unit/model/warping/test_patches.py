"""Squares around mouth and eyes."""

from __future__ import annotations

import torch

from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.warping.patches import PATCHED, face_patches, patch_corners, patch_side

SIDE_PX = 64


def face_points() -> torch.Tensor:
    return torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128))).float()[None] / 64 - 1


def test_a_patch_holds_the_pixels_themselves_around_its_landmarks() -> None:
    image = torch.arange(3 * SIDE_PX**2, dtype=torch.float32).reshape(1, 3, SIDE_PX, SIDE_PX)
    corners = patch_corners(face_points(), SIDE_PX)
    patches = face_patches(image, corners)
    side_px = patch_side(SIDE_PX)
    assert patches.shape == (1, 3, 3, side_px, side_px)
    for n, part in enumerate(PATCHED):
        column, row = corners[0, n].tolist()
        assert torch.equal(patches[0, n], image[0, :, row : row + side_px, column : column + side_px])
        landmarks = (face_points()[0, part] + 1) * SIDE_PX / 2
        inside = (landmarks - torch.tensor([column, row])) / side_px
        assert inside.min() >= 0
        assert inside.max() < 1


def test_patches_at_the_edge_move_inside() -> None:
    away = face_points() + 5
    assert (patch_corners(away, SIDE_PX) == SIDE_PX - patch_side(SIDE_PX)).all()
    assert (patch_corners(face_points() - 5, SIDE_PX) == 0).all()


def test_gradients_reach_the_pixels_of_the_patch_and_no_others() -> None:
    image = torch.zeros(1, 3, SIDE_PX, SIDE_PX, requires_grad=True)
    corners = patch_corners(face_points(), SIDE_PX)
    face_patches(image, corners)[:, 0].sum().backward()
    assert image.grad is not None
    column, row = corners[0, 0].tolist()
    side_px = patch_side(SIDE_PX)
    inside = torch.zeros(SIDE_PX, SIDE_PX)
    inside[row : row + side_px, column : column + side_px] = 1
    assert torch.equal(image.grad[0, 0], inside)
