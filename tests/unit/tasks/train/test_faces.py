"""The faces of a training are those of the tables, with the landmarks that their heatmaps were drawn from."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import POINTS, LandmarkScheme
from mien.model.landmarks.schemes import to_common
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.train.faces import load_faces
from tests.drawn_faces import HEATMAP_PX
from tests.drawn_set import SIDE_PX, drawn_set


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


@pytest.mark.parametrize("scheme", POINTS)
def test_the_heatmaps_are_those_of_the_landmarks(root: Root, scheme: LandmarkScheme) -> None:
    faces = load_faces(root, [drawn_set(root, scheme=scheme)], "train", SIDE_PX)
    assert len(faces) > 0
    assert faces.spec == HeatmapSpec(HEATMAP_PX)
    assert faces.scheme == scheme
    assert (faces.dense is None) == (scheme == "ibug68")
    np.testing.assert_allclose(to_common(faces.landmarks, scheme), faces.points, atol=1e-6)
    again = render_heatmaps((faces.landmarks + 1) * (SIDE_PX / 2), scheme, SIDE_PX, faces.spec)
    assert np.abs(again.astype(int) - faces.heatmaps).max() <= 1


def test_faces_of_two_schemes_are_not_learnt_from_together(root: Root) -> None:
    sets = [drawn_set(root), drawn_set(root, "dense", "mediapipe478")]
    with pytest.raises(UsageError, match="ibug68, mediapipe478"):
        load_faces(root, sets, "train", SIDE_PX)
