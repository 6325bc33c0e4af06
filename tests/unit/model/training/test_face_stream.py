"""The shape model is fitted to all faces of a small set, and to a sample of a large one."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.expression.shape_model import ShapeModel
from mien.model.training import face_stream
from mien.model.training.face_stream import fitted_shapes
from tests.streamed_faces import Reader, numbered_faces

FACES = numbered_faces([4] * 30)


def test_of_few_faces_all_are_fitted_to() -> None:
    expected = ShapeModel.fit(FACES.points.astype(np.float64), FACES.identities)
    found = fitted_shapes(FACES, seed=5).tensors()
    assert all((found[name] == value).all() for name, value in expected.tensors().items())


def test_of_many_a_sample_that_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    fit = ShapeModel.fit

    def noted(points: np.ndarray, identities: np.ndarray) -> ShapeModel:
        asked.append(len(points))
        return fit(points, identities)

    monkeypatch.setattr(face_stream, "FITTED_FACES", 60)
    monkeypatch.setattr(ShapeModel, "fit", staticmethod(noted))
    first, again, other = (fitted_shapes(FACES, seed).mean for seed in (1, 1, 2))
    assert max(asked) <= 60
    assert (first == again).all()
    assert not (first == other).all()


def test_room_is_like_the_faces() -> None:
    room = Reader(FACES).stream().room(7)
    assert (room.images.shape[1:], room.heatmaps.shape[1:]) == (FACES.images.shape[1:], FACES.heatmaps.shape[1:])
    assert len(room) == 7
