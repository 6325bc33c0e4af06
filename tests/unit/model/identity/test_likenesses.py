"""Near pairs of faces: each with each, and by an index where there are too many for that."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mien.model.errors import ModelError
from mien.model.identity import likenesses
from mien.model.identity.likenesses import EmbeddingLikenesses, MatrixLikenesses, Similarity

PEOPLE, EACH = 60, 10


def dlibs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.linalg.norm(first - second, axis=-1))


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.asarray((first * second).sum(-1) / lengths)


def embedded(similarity: Similarity = dlibs) -> EmbeddingLikenesses:
    draw = np.random.default_rng(0)
    people = draw.normal(0, 0.06, (PEOPLE, 128)).repeat(EACH, 0)
    return EmbeddingLikenesses((people + draw.normal(0, 0.022, people.shape)).astype(np.float32), similarity)


def test_the_near_pairs_are_those_of_the_matrix() -> None:
    given = embedded()
    similar = given.between(np.arange(len(given)), np.arange(len(given))).astype(np.float32)
    found, expected = given.near(0.6), MatrixLikenesses(similar).near(0.6)
    assert len(found.first) > PEOPLE * EACH
    assert (found.first < found.second).all()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("similarity", [dlibs, cosine])
def test_an_index_finds_nearly_all_of_them_and_no_other(
    similarity: Similarity, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = embedded(similarity)
    exact = given.near(0.6)
    monkeypatch.setattr(likenesses, "EXACT_FACES", 10)
    monkeypatch.setattr(likenesses, "_PROBED", 8)  # of some hundred cells
    found = given.near(0.6)
    pairs, all_pairs = (set(zip(near.first.tolist(), near.second.tolist(), strict=True)) for near in (found, exact))
    assert pairs <= all_pairs
    assert len(pairs) > 0.98 * len(all_pairs)
    assert [list(each) for each in found] == [list(each) for each in given.near(0.6)]


def test_what_no_index_knows_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    given = embedded(lambda first, second: np.asarray(-np.abs(first - second).sum(-1)))
    monkeypatch.setattr(likenesses, "EXACT_FACES", 10)
    with pytest.raises(ModelError, match=r"no index knows this detector's similarity: prepare them as several sets"):
        given.near(0.6)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ModelError, match=r"pip install 'mien\[cluster\]' brings an index"):
        embedded().near(0.6)


def test_no_face_has_no_pair() -> None:
    assert [len(each) for each in EmbeddingLikenesses(np.zeros((0, 128), np.float32), dlibs).near(0.6)] == [0, 0, 0]
