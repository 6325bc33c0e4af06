from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.reference import (
    AlignmentSettings,
    reference_five_points,
    reference_landmarks,
    reference_shape,
)
from mien.model.landmarks.schemes import five_points, mirror_indices


def test_the_stored_face_is_normalised_and_symmetric() -> None:
    shape = reference_shape()
    left, right = five_points(shape, "ibug68")[:2]
    assert np.allclose([left, right], [[-0.5, 0], [0.5, 0]], atol=1e-4)
    assert np.allclose(shape, shape[list(mirror_indices())] * [-1, 1], atol=1e-4)


@pytest.mark.parametrize("size_px", [64, 128, 256, 512])
def test_it_lies_inside_the_crop_with_the_margins_asked_for(size_px: int) -> None:
    settings = AlignmentSettings(size_px=size_px, margin_top=0.5, margin_bottom=0.25)
    points = reference_landmarks(settings)
    height = np.ptp(points[:, 1])
    assert points[:, 1].min() == pytest.approx(0.5 * height)
    assert size_px - points[:, 1].max() == pytest.approx(0.25 * height)
    assert points[:, 0].min() == pytest.approx(size_px - points[:, 0].max())
    assert (points > 0).all()
    assert (points < size_px).all()


def test_sizes_differ_by_a_factor_alone() -> None:
    small, large = (reference_five_points(AlignmentSettings(size_px=size)) for size in (64, 256))
    assert np.allclose(small * 4, large)
