from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import recogniser
from benchmarks.recogniser import SIDE_PX, as_images, rank_1, trained, usual_augmentation


def people(seed: int) -> np.ndarray:
    """Three people: light on the left, light above, and light in the middle, with noise."""
    faces = np.full((3, SIDE_PX, SIDE_PX), 60, np.uint8)
    faces[0, :, : SIDE_PX // 3] = faces[1, : SIDE_PX // 3] = 200
    faces[2, SIDE_PX // 3 : 2 * SIDE_PX // 3, SIDE_PX // 3 : 2 * SIDE_PX // 3] = 200
    return faces + np.random.default_rng(seed).integers(0, 20, faces.shape, dtype=np.uint8)


NUMBERS = np.arange(3)


def test_it_learns_to_name_people() -> None:
    model = trained(people(0), NUMBERS, 30, 0, augmented=False)
    assert rank_1(model, people(1), NUMBERS) == 1
    assert rank_1(model, people(1)[::-1].copy(), NUMBERS) == pytest.approx(1 / 3)


def test_a_seed_repeats_and_another_does_not() -> None:
    first, again, other = (trained(people(0), NUMBERS, 4, seed, augmented=True) for seed in (1, 1, 2))
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_every_training_sees_as_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    forward = recogniser.Recogniser.forward

    def counting(self: recogniser.Recogniser, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(recogniser.Recogniser, "forward", counting)
    few, many = people(0), np.concatenate([people(seed) for seed in range(30)])
    for faces in (few, many):
        seen.clear()
        trained(faces, np.tile(NUMBERS, len(faces) // 3), 5, 0, augmented=False)
        assert seen == [recogniser.BATCH] * 5


def test_the_usual_augmentation_keeps_the_size_and_the_range_and_changes_each_picture() -> None:
    images = as_images(people(0))
    changed = usual_augmentation(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert all(not torch.equal(one, other) for one, other in zip(images, changed, strict=True))


def test_half_of_the_pictures_are_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SCALE", "_SHIFT", "_TURN_DEGREES", "_CONTRAST", "_BRIGHTNESS"):
        monkeypatch.setattr(recogniser, name, 0.0)
    images = as_images(np.repeat(people(0)[:1], 64, axis=0))
    changed = usual_augmentation(images, torch.Generator().manual_seed(0))
    same, mirrored = (torch.isclose(changed, like, atol=1e-4).flatten(1).all(1) for like in (images, images.flip(-1)))
    assert (same ^ mirrored).all()
    assert 16 < int(mirrored.sum()) < 48
