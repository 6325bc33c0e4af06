from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks import patch_judge
from benchmarks.patch_judge import WINDOW_PX, real_against_made

SIDE_PX, PEOPLE, EACH = 80, 6, 4
BOXES = np.tile(np.array([8, 8, 72, 72]), (PEOPLE * EACH, 1))
NUMBERS = np.repeat(np.arange(PEOPLE), EACH)


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_judge, "UPDATES", 25)
    monkeypatch.setattr(patch_judge, "BATCH", 8)


def textures(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (PEOPLE * EACH, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def test_blurred_faces_are_told_from_photos_of_people_never_seen() -> None:
    photos = textures(0)
    made = np.stack([cv2.GaussianBlur(photo, (0, 0), 1.5) for photo in textures(1)])
    assert real_against_made(photos, made, NUMBERS, BOXES, seed=0) > 0.95


def test_pictures_of_one_kind_are_not_told_apart() -> None:
    assert 0.2 < real_against_made(textures(0), textures(1), NUMBERS, BOXES, seed=0) < 0.8


def test_the_same_seed_gives_the_same_value() -> None:
    first, second = (real_against_made(textures(0), textures(1), NUMBERS, BOXES, seed=3) for _ in range(2))
    assert first == second


def test_each_fold_is_judged_by_what_was_trained_on_others(monkeypatch: pytest.MonkeyPatch) -> None:
    photos, trained_on, judged = textures(0), list[set[bytes]](), list[set[bytes]]()
    train, judge = patch_judge.trained_judge, patch_judge.judgements

    def training(real: np.ndarray, made: np.ndarray, boxes: np.ndarray, seed: int) -> patch_judge.PatchJudge:
        trained_on.append({face.tobytes() for face in real})
        return train(real, made, boxes, seed)

    def judging(by: patch_judge.PatchJudge, faces: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        judged.append({face.tobytes() for face in faces})
        return judge(by, faces, boxes)

    monkeypatch.setattr(patch_judge, "trained_judge", training)
    monkeypatch.setattr(patch_judge, "judgements", judging)
    real_against_made(photos, textures(1), NUMBERS, BOXES, seed=0)
    of_photos = judged[::2]  # photos, then what was made
    assert len(trained_on) == len(of_photos) == patch_judge.FOLDS
    assert all(not fold & others for fold, others in zip(of_photos, trained_on, strict=True))
    assert set.union(*of_photos) == {face.tobytes() for face in photos}


def test_too_few_people_have_no_value() -> None:
    assert np.isnan(real_against_made(textures(0), textures(1), NUMBERS // (PEOPLE // 2), BOXES, seed=0))


def test_a_window_lies_in_the_picture() -> None:
    random = np.random.default_rng(0)
    for box in ((0, 0, 5, 5), (70, 70, 80, 80), (40, 40, 40, 40)):
        for _ in range(20):
            rows, columns = patch_judge._window(np.array(box), SIDE_PX, random)
            for side in (rows, columns):
                assert side.start >= 0
                assert side.stop - side.start == WINDOW_PX
                assert side.stop <= SIDE_PX
