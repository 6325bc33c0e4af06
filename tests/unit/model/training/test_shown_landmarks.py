"""What a picture shows, in distances of landmarks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.images.tensors import from_uint8
from mien.model.inference.baselines import spline_warped
from mien.model.networks.mesh_landmarks import MeshLandmarks
from mien.model.training.shown_landmarks import asked_distance, shown_distance
from tests.sample_faces import common_landmarks, square_faces

COUNT = 4


@pytest.fixture(scope="module")
def mesh() -> MeshLandmarks:
    return MeshLandmarks(torch.device("cpu"))


def asked() -> np.ndarray:
    """Mouths that are open wider by a sixth of the distance of the eyes, and raised brows."""
    points = common_landmarks(COUNT).copy()
    eyes = np.linalg.norm(points[:, 45] - points[:, 36], axis=-1)[:, None]
    points[:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += eyes / 6
    points[:, 17:27, 1] -= eyes / 8
    return points


def moved(points: np.ndarray) -> torch.Tensor:
    pictures = np.ascontiguousarray(square_faces(COUNT).transpose(0, 2, 3, 1))
    warped = spline_warped(pictures, common_landmarks(COUNT), points)
    return from_uint8(torch.from_numpy(np.ascontiguousarray(warped.transpose(0, 3, 1, 2))))


def test_a_photo_shows_what_it_shows(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(COUNT))), torch.from_numpy(common_landmarks(COUNT))
    assert shown_distance(mesh, photos, photos, points).item() == 0
    assert asked_distance(mesh, (photos, points), photos, points).item() == pytest.approx(0, abs=1e-3)


def test_who_moves_as_asked_is_nearer_than_who_stays(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(COUNT))), torch.from_numpy(common_landmarks(COUNT))
    wanted = torch.from_numpy(asked())
    copy = asked_distance(mesh, (photos, points), photos, wanted)
    warp = asked_distance(mesh, (photos, points), moved(asked()), wanted)
    assert warp < 0.6 * copy
    halfway = moved((asked() + common_landmarks(COUNT)) / 2)
    assert warp < asked_distance(mesh, (photos, points), halfway, wanted) < copy
    right = moved(asked())
    assert shown_distance(mesh, right, halfway, wanted) < shown_distance(mesh, right, photos, wanted)


def test_gradients_reach_the_drawn_picture_alone(mesh: MeshLandmarks) -> None:
    photos, points = from_uint8(torch.from_numpy(square_faces(1))), torch.from_numpy(common_landmarks(1))
    drawn = photos.clone().requires_grad_()
    photo = photos.clone().requires_grad_()
    shown_distance(mesh, photo, drawn * 0.9, points).backward()
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0
    assert photo.grad is None
