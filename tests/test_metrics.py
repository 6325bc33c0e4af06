"""Metrics against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model import metrics

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
