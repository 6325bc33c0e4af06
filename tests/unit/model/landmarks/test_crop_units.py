"""Pixels of a crop and [-1, 1] over it."""

from __future__ import annotations

import numpy as np

from mien.model.landmarks.crop_units import from_px, to_px


def test_edges_and_middle() -> None:
    pixels = np.array([[0.0, 64.0], [128.0, 32.0]])
    assert from_px(pixels, 128).tolist() == [[-1.0, 0.0], [1.0, -0.5]]
    assert to_px(np.array([[-1.0, 0.0], [1.0, -0.5]]), 128).tolist() == pixels.tolist()


def test_one_undoes_the_other_and_the_type_stays() -> None:
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (3, 68, 2)).astype(np.float32)
    pixels = to_px(points, 96)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(from_px(pixels, 96), points, atol=1e-6)
