"""The mesh with gradients against the detector's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.detection.face_mesh import mesh_each, window_of_points
from mien.model.images.tensors import from_uint8
from mien.model.landmarks.crop_units import to_px
from mien.model.networks.mesh_landmarks import MeshLandmarks
from tests.sample_faces import common_landmarks, square_faces

COUNT = 4


@pytest.fixture(scope="module")
def mesh() -> MeshLandmarks:
    return MeshLandmarks(torch.device("cpu"))


def test_landmarks_are_where_the_detector_finds_them(mesh: MeshLandmarks) -> None:
    photos, points = square_faces(COUNT), common_landmarks(COUNT)
    side_px = photos.shape[-1]
    found = mesh(from_uint8(torch.from_numpy(photos)), torch.from_numpy(points))
    windows = [window_of_points(to_px(each, side_px), each[45] - each[36]) for each in points]
    pictures = [np.ascontiguousarray(photo.transpose(1, 2, 0)) for photo in photos]
    for landmarks, eyes, detected in zip(
        found.numpy(), points[:, 45] - points[:, 36], mesh_each(pictures, windows, "cpu"), strict=True
    ):
        assert detected is not None
        apart = np.linalg.norm(to_px(landmarks, side_px) - detected.points_xy, axis=-1).mean()
        assert apart < 0.04 * np.linalg.norm(eyes) * side_px / 2


def test_a_turned_picture_has_turned_landmarks(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(COUNT))), torch.from_numpy(common_landmarks(COUNT))
    upright = mesh(photos, points)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # what was right is now up
    turned = mesh(photos.rot90(1, (2, 3)), points @ quarter)
    assert (turned - upright @ quarter).norm(dim=-1).mean() < 0.01


def test_a_training_in_half_precision_gets_the_same_landmarks(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(1))), torch.from_numpy(common_landmarks(1))
    with torch.autocast("cpu", torch.bfloat16):
        found = mesh(photos, points)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, mesh(photos, points), atol=1e-3, rtol=0)


def test_gradients_say_how_to_change_the_picture(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(1))), torch.from_numpy(common_landmarks(1))
    photos.requires_grad_()
    lower_lip = mesh(photos, points)[:, 17, 1].sum()
    (gradient,) = torch.autograd.grad(lower_lip, photos)
    step = photos + 0.05 * gradient / gradient.abs().max()
    assert mesh(step.detach(), points)[:, 17, 1].sum() > lower_lip
