from __future__ import annotations

import numpy as np
import pytest

from mien.model.recognition.embedder import DIMENSIONS, Embedder, as_arrays, embed, fit_embedder, from_arrays
from mien.model.recognition.error_rates import auc
from mien.model.recognition.pictures import SIDE_PX


def people(numbers: range, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of people: a coarse pattern of each, other light and noise in each picture."""
    random = np.random.default_rng(seed)
    faces, labels = [], []
    for number in numbers:
        pattern = np.random.default_rng(1000 + number).uniform(60, 190, (4, 4))
        face = np.kron(pattern, np.ones((SIDE_PX // 4, SIDE_PX // 4)))
        for _ in range(each):
            shown = face * random.uniform(0.8, 1.2) + random.normal(0, 12, face.shape)
            faces.append(shown.clip(0, 255).astype(np.uint8))
            labels.append(number - numbers.start)
    return np.stack(faces), np.array(labels)


def told_apart(model: Embedder, faces: np.ndarray, labels: np.ndarray) -> float:
    scores = embed(model, faces) @ embed(model, faces).T
    same, pairs = labels[:, None] == labels[None], np.triu(np.ones_like(scores, bool), 1)
    return auc(scores[same & pairs], scores[~same & pairs])


def test_it_tells_people_apart_whom_it_was_not_trained_on() -> None:
    faces, labels = people(range(20), 4, 0)
    others = people(range(50, 60), 4, 1)
    fitted = fit_embedder(faces, labels, 25, 0)
    assert told_apart(fitted, *others) > 0.85
    assert embed(fitted, others[0]).shape == (40, DIMENSIONS)
    assert np.allclose(np.linalg.norm(embed(fitted, others[0]), axis=1), 1, atol=1e-5)


def test_a_seed_repeats_and_another_does_not() -> None:
    faces, labels = people(range(6), 2, 0)
    first, again, other = (embed(fit_embedder(faces, labels, 3, seed), faces) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_that_is_trained_further_leaves_the_first_as_it_was() -> None:
    faces, labels = people(range(6), 2, 0)
    first = fit_embedder(faces, labels, 3, 0)
    before = embed(first, faces)
    further = fit_embedder(faces, labels, 3, 0, first, 0.1)
    assert np.array_equal(embed(first, faces), before)
    assert not np.array_equal(embed(further, faces), before)


def test_weights_are_read_as_they_were_written_and_nothing_else_is() -> None:
    faces, labels = people(range(4), 2, 0)
    fitted = fit_embedder(faces, labels, 2, 0)
    assert np.array_equal(embed(from_arrays(as_arrays(fitted)), faces), embed(fitted, faces))
    with pytest.raises(ValueError, match="not the weights of an embedder"):
        from_arrays({"out.weight": np.zeros((2, 2), np.float32)})
