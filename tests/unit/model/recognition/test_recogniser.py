from __future__ import annotations

import numpy as np
import pytest
import torch

from mien.model.recognition import recogniser
from mien.model.recognition.pictures import SIDE_PX
from mien.model.recognition.recogniser import TrainingSet, classes_of, trained

NUMBERS = np.arange(3)


def people(seed: int) -> np.ndarray:
    """Three people: light on the left, light above, and light in the middle, with noise."""
    faces = np.full((3, SIDE_PX, SIDE_PX), 60, np.uint8)
    faces[0, :, : SIDE_PX // 3] = faces[1, : SIDE_PX // 3] = 200
    faces[2, SIDE_PX // 3 : 2 * SIDE_PX // 3, SIDE_PX // 3 : 2 * SIDE_PX // 3] = 200
    return faces + np.random.default_rng(seed).integers(0, 20, faces.shape, dtype=np.uint8)


def with_made(made: np.ndarray, labels: np.ndarray) -> TrainingSet:
    return TrainingSet(people(0), NUMBERS, made, labels)


def test_it_learns_to_name_people() -> None:
    model = trained(TrainingSet(people(0), NUMBERS), 3, 30, 0, augmented=False)
    assert classes_of(model, people(1)).tolist() == [0, 1, 2]
    assert classes_of(model, people(1)[::-1].copy()).tolist() == [2, 1, 0]


def test_a_seed_repeats_and_another_does_not() -> None:
    faces = TrainingSet(people(0), NUMBERS)
    first, again, other = (trained(faces, 3, 4, seed, augmented=True) for seed in (1, 1, 2))
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_every_training_sees_as_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    forward = recogniser.Recogniser.forward

    def counting(self: recogniser.Recogniser, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(recogniser.Recogniser, "forward", counting)
    few = with_made(people(1), NUMBERS)
    many = with_made(np.concatenate([people(seed) for seed in range(30)]), np.tile(NUMBERS, 30))
    for faces in (TrainingSet(people(0), NUMBERS), few, many):
        seen.clear()
        trained(faces, 3, 5, 0, augmented=False)
        assert seen == [recogniser.BATCH] * 5


def test_half_of_the_pictures_are_photos_however_many_faces_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    white = np.full((90, SIDE_PX, SIDE_PX), 255, np.uint8)
    shares = list[float]()
    forward = recogniser.Recogniser.forward

    def looking(self: recogniser.Recogniser, images: torch.Tensor) -> torch.Tensor:
        shares.append(float((images.amin((1, 2, 3)) > 0.99).float().mean()))
        return forward(self, images)

    monkeypatch.setattr(recogniser.Recogniser, "forward", looking)
    trained(with_made(white, np.tile(NUMBERS, 30)), 3, 4, 0, augmented=False)
    assert shares == [0.5] * 4


def test_made_faces_with_wrong_labels_mislead_it() -> None:
    """So what is made takes part: a recogniser that ignored it would not notice."""
    swapped = with_made(np.concatenate([people(seed) for seed in range(20)]), np.tile([1, 2, 0], 20))
    right = with_made(np.concatenate([people(seed) for seed in range(20)]), np.tile(NUMBERS, 20))
    found = [
        (classes_of(trained(f, 3, 40, 0, augmented=False), people(99)) == NUMBERS).mean() for f in (swapped, right)
    ]
    assert found[0] < found[1] == 1
