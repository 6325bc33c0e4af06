from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.recognition import pictures
from mien.model.recognition.pictures import SIDE_PX, as_images, as_seen, usual_augmentation


def test_pictures_of_any_size_are_seen_grey_and_of_one_size() -> None:
    rgb = [np.full((side, side, 3), (255, 0, 0), np.uint8) for side in (32, 256)]
    seen = as_seen(rgb)
    assert seen.shape == (2, SIDE_PX, SIDE_PX)
    assert np.unique(seen).tolist() == [76]  # 0.299 of red
    assert as_seen([]).shape == (0, SIDE_PX, SIDE_PX)


def drawn(count: int) -> torch.Tensor:
    return as_images(np.random.default_rng(0).integers(0, 255, (count, SIDE_PX, SIDE_PX), dtype=np.uint8))


def test_the_usual_augmentation_keeps_the_size_and_the_range_and_changes_each_picture() -> None:
    images = drawn(3)
    changed = usual_augmentation(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert all(not torch.equal(one, other) for one, other in zip(images, changed, strict=True))


def test_a_seed_repeats_the_augmentation() -> None:
    first, again, other = (usual_augmentation(drawn(2), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_half_of_the_pictures_are_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SCALE", "_SHIFT", "_TURN_DEGREES", "_CONTRAST", "_BRIGHTNESS"):
        monkeypatch.setattr(pictures, name, 0.0)
    images = drawn(1).expand(200, -1, -1, -1)
    changed = usual_augmentation(images, torch.Generator().manual_seed(0))
    mirrored = [torch.allclose(one, images[0].flip(-1), atol=1e-3) for one in changed]
    same = [torch.allclose(one, images[0], atol=1e-3) for one in changed]
    assert sum(mirrored) + sum(same) == 200
    assert 70 < sum(mirrored) < 130


def test_colour_pictures_are_augmented_alike_in_all_planes() -> None:
    grey = drawn(1).expand(-1, 3, -1, -1)
    changed = usual_augmentation(grey, torch.Generator().manual_seed(0))
    assert torch.equal(changed[0, 0], changed[0, 1])
    assert torch.equal(changed[0, 0], changed[0, 2])
