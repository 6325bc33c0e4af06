"""Memory for faces, and parts of it that are written to."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.parts import POINTS, LandmarkScheme
from mien.model.training.face_arrays import ABSENT, FaceArrays


@pytest.mark.parametrize("scheme", POINTS)
def test_what_is_written_to_a_part_is_in_the_whole(scheme: LandmarkScheme) -> None:
    whole = FaceArrays.room(10, 64, HeatmapSpec(16), scheme)
    assert (len(whole), whole.side_px, whole.scheme) == (10, 64, scheme)
    assert whole.landmarks.shape == (10, POINTS[scheme], 2)
    assert set(whole.identities.tolist()) == {ABSENT}
    part = whole.part(3, 2)
    assert len(part) == 2
    for name in ("images", "heatmaps", "points", "landmarks", "identities"):
        getattr(whole, name)[:] = 1
        getattr(part, name)[:] = 2
        assert (getattr(whole, name)[3:5] == 2).all()
        assert (np.delete(getattr(whole, name), [3, 4], 0) == 1).all()


def test_others_may_be_shown_without_a_copy() -> None:
    whole = FaceArrays.room(4, 64, HeatmapSpec(16), "ibug68")
    shown = whole.showing(np.array([1, 1, ABSENT, 2]), np.zeros(4, np.int64))
    assert shown.images is whole.images
    assert shown.identities.tolist() == [1, 1, ABSENT, 2]
    assert whole.identities.tolist() == [ABSENT] * 4
