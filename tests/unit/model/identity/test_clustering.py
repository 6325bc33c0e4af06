"""Grouping faces into people, and which decisions were close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from mien.model.detection.load import load_detector
from mien.model.identity.clustering import doubts, group_people
from mien.model.identity.likenesses import EmbeddingLikenesses, MatrixLikenesses
from tests.sample_faces import orl_faces

NEAR, FAR = 0.8, 0.2


def grouped(similar: np.ndarray, threshold: float, apart: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    return group_people(MatrixLikenesses(similar), threshold, apart).numbers


def drawn(*people: int) -> np.ndarray:
    """Similarities of so many faces of each person: a person's own are near, all others far."""
    of = np.repeat(np.arange(len(people)), people)
    similar = np.where(of[:, None] == of, NEAR, FAR).astype(np.float32)
    np.fill_diagonal(similar, 1)
    return similar


def test_people_are_told_apart_whatever_the_order() -> None:
    order = np.random.default_rng(0).permutation(9)
    groups = grouped(drawn(4, 3, 2)[np.ix_(order, order)], 0.6)
    of = np.repeat([0, 1, 2], [4, 3, 2])[order]
    assert len(set(zip(groups.tolist(), of.tolist(), strict=True))) == 3


@pytest.mark.parametrize("count", [0, 1])
def test_no_face_and_one_face(count: int) -> None:
    assert grouped(drawn(count), 0.6).tolist() == [0] * count


def test_faces_that_are_all_unlike_are_people_each() -> None:
    assert len(set(grouped(np.full((5, 5), FAR, np.float32), 0.6).tolist())) == 5


def test_faces_of_one_photo_are_never_one_person_however_alike_they_are() -> None:
    similar = drawn(6)  # all six are as alike as one person's
    groups = grouped(similar, 0.6, [(0, 1), (2, 3)])
    assert groups[0] != groups[1]
    assert groups[2] != groups[3]
    assert len(set(groups.tolist())) == 2
    # Also where the groups that they are in have become large.
    large = drawn(200)
    large[0, 1] = large[1, 0] = 1
    groups = grouped(large, 0.6, [(0, 1)])
    assert groups[0] != groups[1]
    assert len(set(grouped(drawn(3), -9.0, [(0, 1)]).tolist())) == 2


def test_close_decisions_are_told_the_closest_first() -> None:
    similar = drawn(4, 4, 4, 4)
    similar[:4, 4:8] = similar[4:8, :4] = 0.62  # taken for one person, but hardly
    similar[8:12, 12:] = similar[12:, 8:12] = 0.56  # taken for two
    likenesses = MatrixLikenesses(similar)
    groups = group_people(likenesses, 0.6)
    assert len(groups.members) == 3
    merged, apart = doubts(likenesses, groups, 0.6)
    assert (merged.kind, apart.kind) == ("merged", "apart")
    assert {merged.first, merged.second} == {(0, 1, 2, 3), (4, 5, 6, 7)}
    assert {apart.first, apart.second} == {(8, 9, 10, 11), (12, 13, 14, 15)}
    assert merged.similarity == pytest.approx(0.62)
    clear = MatrixLikenesses(drawn(4, 4))
    assert doubts(clear, group_people(clear, 0.6), 0.6) == []


def linked_by_all_pairs(similar: np.ndarray, threshold: float) -> np.ndarray:
    """Average linkage that knows every pair."""
    distances = 1 - similar
    np.fill_diagonal(distances, 0)
    settings: dict[str, Any] = {"n_clusters": None, "distance_threshold": 1 - threshold}
    return AgglomerativeClustering(metric="precomputed", linkage="average", **settings).fit(distances).labels_


@pytest.mark.parametrize("seed", range(4))
def test_near_pairs_alone_give_the_groups_that_all_pairs_give(seed: int) -> None:
    """People who blend into one another, so that groups are joined whose means have to be computed on the way."""
    draw = np.random.default_rng(seed)
    people = draw.normal(0, 0.05, (30, 128)).repeat(12, 0)
    embeddings = (people * 0.6 + draw.normal(0, 0.05, (360, 128)) * 0.42).astype(np.float32)
    likenesses = EmbeddingLikenesses(embeddings, lambda first, second: 1 - np.linalg.norm(first - second, axis=-1))
    similar = likenesses.between(np.arange(360), np.arange(360))
    for threshold in (0.5, 0.58, 0.62, 0.66):
        groups = group_people(likenesses, threshold)
        expected = linked_by_all_pairs(similar, threshold)
        assert adjusted_rand_score(expected, groups.numbers) == 1.0
        sizes = [len(members) for members in groups.members]
        assert 1 < len(sizes) < 360
        # And of those left apart the means are those of their pairs, and none that is close is missing.
        told = {(one, other): mean for one, other, mean in groups.close}
        for one in range(len(sizes)):
            for other in range(one + 1, len(sizes)):
                mean = similar[np.ix_(groups.members[one], groups.members[other])].mean()
                if abs(mean - (threshold - 0.05)) > 1e-4:
                    assert ((one, other) in told) == (mean > threshold - 0.05)
                if (one, other) in told:
                    assert told[one, other] == pytest.approx(mean, abs=1e-4)


def test_real_photos_of_six_people_are_grouped_without_a_wrong_pair() -> None:
    detector = load_detector("dlib")
    embeddings, people = orl_faces(6, 5)
    likenesses = EmbeddingLikenesses(embeddings, detector.similarity)
    groups = group_people(likenesses, detector.group_similarity).numbers
    together = groups[:, None] == groups
    same = people[:, None] == people
    assert not (together & ~same).any()
    assert (together & same).sum() > 0.7 * same.sum()
