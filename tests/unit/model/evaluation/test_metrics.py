"""Metrics against values worked out by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mien.model.evaluation import metrics

PHOTO = np.random.default_rng(0).random((2, 32, 32, 3))


def test_l1_and_psnr() -> None:
    photo = np.full((2, 16, 16, 3), 0.5)
    image = photo + np.array([0.0, 0.1])[:, None, None, None]
    assert metrics.l1(image, photo) == pytest.approx([0, 0.1])
    assert metrics.psnr(image[1:], photo[1:]) == pytest.approx([20])  # 10 log10(1 / 0.1²)


def test_ssim_is_one_for_the_same_image_and_falls_with_noise() -> None:
    noisy = np.clip(PHOTO + np.random.default_rng(1).normal(0, 0.2, PHOTO.shape), 0, 1)
    assert metrics.ssim(PHOTO, PHOTO) == pytest.approx([1, 1])
    assert (metrics.ssim(noisy, PHOTO) < 0.95).all()


def test_nme() -> None:
    asked = np.zeros((1, 68, 2))
    found = asked + np.array([3.0, 4.0])
    assert metrics.nme(found, asked, np.array([50.0])) == pytest.approx([0.1])


def test_auc() -> None:
    assert metrics.auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert metrics.auc(np.array([1.0, 3.0]), np.array([2.0, 0.0])) == 0.75
    assert metrics.auc(np.array([1.0]), np.array([1.0])) == 0.5
    assert np.isnan(metrics.auc(np.array([1.0]), np.zeros(0)))
    assert np.isnan(metrics.auc(np.array([1.0]), np.array([np.nan])))


def test_auc_is_the_share_of_pairs_in_order_with_ties_as_half() -> None:
    random = np.random.default_rng(0)
    true, false = random.integers(0, 20, 300).astype(float), random.integers(0, 15, 500).astype(float)
    by_pairs = (true[:, None] > false).mean() + 0.5 * (true[:, None] == false).mean()
    assert metrics.auc(true, false) == pytest.approx(by_pairs, abs=1e-12)


def test_auc_of_all_pairs_of_400_faces_takes_the_memory_of_the_scores() -> None:
    random = np.random.default_rng(0)
    true, false = random.normal(1, 1, 20_000), random.normal(0, 1, 140_000)
    tracemalloc.start()
    assert metrics.auc(true, false) == pytest.approx(0.7602, abs=0.005)  # Φ(1/√2)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_masked_l1_is_of_the_mask_alone() -> None:
    photo = np.zeros((2, 4, 4, 3))
    image = photo.copy()
    image[0, 0, 0] = [0.3, 0.0, 0.6]  # mean 0.3 in one of the mask's two pixels
    image[0, 3, 3] = 1  # outside
    masks = np.zeros((2, 4, 4), bool)
    masks[0, 0, :2] = True
    first, empty = metrics.masked_l1(image, photo, masks)
    assert first == pytest.approx(0.15)
    assert np.isnan(empty)


SQUARE = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def test_spread_is_blind_to_place_turn_and_scale() -> None:
    turned = 3 * SQUARE @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + [5, 7]
    assert metrics.spread(np.stack([SQUARE, turned]), SQUARE, 1.0) == pytest.approx(0, abs=1e-9)


def test_spread_by_hand() -> None:
    # Stretched by 1 ± 0.1 along x and y: the similarity nearest to the square leaves it as it is, up to the scale
    # that least squares gives, 1 / 1.01; each corner is (±0.1, ∓0.1) / 1.01 off.
    stretched = SQUARE * [1.1, 0.9]
    off = 0.1 * np.sqrt(2)
    expected = np.linalg.norm([1.1 / 1.01 - 1, 0.9 / 1.01 - 1])
    assert expected == pytest.approx(off / 1.01, rel=0.01)
    assert metrics.spread(np.stack([SQUARE, stretched]), SQUARE, 2.0) == pytest.approx(expected / 2)
    assert np.isnan(metrics.spread(SQUARE[None], SQUARE, 1.0))
