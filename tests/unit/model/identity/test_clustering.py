"""Grouping faces into people, and which decisions were close."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.load import load_detector
from mien.model.identity.clustering import doubts, group_means, group_people, similarity_matrix
from tests.sample_faces import orl_faces

NEAR, FAR = 0.8, 0.2


def drawn(*people: int) -> np.ndarray:
    """Similarities of so many faces of each person: a person's own are near, all others far."""
    of = np.repeat(np.arange(len(people)), people)
    similar = np.where(of[:, None] == of, NEAR, FAR).astype(np.float32)
    np.fill_diagonal(similar, 1)
    return similar


def test_people_are_told_apart_whatever_the_order() -> None:
    order = np.random.default_rng(0).permutation(9)
    groups = group_people(drawn(4, 3, 2)[np.ix_(order, order)], 0.6)
    of = np.repeat([0, 1, 2], [4, 3, 2])[order]
    assert len(set(zip(groups.tolist(), of.tolist(), strict=True))) == 3


@pytest.mark.parametrize("count", [0, 1])
def test_no_face_and_one_face(count: int) -> None:
    assert group_people(drawn(count), 0.6).tolist() == [0] * count


def test_faces_that_are_all_unlike_are_people_each() -> None:
    assert len(set(group_people(np.full((5, 5), FAR, np.float32), 0.6).tolist())) == 5


def test_faces_of_one_photo_are_never_one_person_however_alike_they_are() -> None:
    similar = drawn(6)  # all six are as alike as one person's
    groups = group_people(similar, 0.6, [(0, 1), (2, 3)])
    assert groups[0] != groups[1]
    assert groups[2] != groups[3]
    assert len(set(groups.tolist())) == 2
    # Also where the groups that they are in have become large.
    large = drawn(200)
    large[0, 1] = large[1, 0] = 1
    groups = group_people(large, 0.6, [(0, 1)])
    assert groups[0] != groups[1]
    assert len(set(group_people(drawn(3), -9.0, [(0, 1)]).tolist())) == 2


def test_close_decisions_are_told_the_closest_first() -> None:
    similar = drawn(4, 4, 4, 4)
    similar[:4, 4:8] = similar[4:8, :4] = 0.62  # taken for one person, but hardly
    similar[8:12, 12:] = similar[12:, 8:12] = 0.56  # taken for two
    groups = group_people(similar, 0.6)
    assert len(set(groups.tolist())) == 3
    merged, apart = doubts(similar, groups, 0.6)
    assert (merged.kind, apart.kind) == ("merged", "apart")
    assert {merged.first, merged.second} == {(0, 1, 2, 3), (4, 5, 6, 7)}
    assert {apart.first, apart.second} == {(8, 9, 10, 11), (12, 13, 14, 15)}
    assert merged.similarity == pytest.approx(0.62)
    assert doubts(drawn(4, 4), group_people(drawn(4, 4), 0.6), 0.6) == []


def test_means_of_groups_are_those_of_their_pairs() -> None:
    random = np.random.default_rng(0)
    similar = random.random((600, 600), np.float32)
    groups = random.integers(0, 7, 600)
    means = group_means(similar, groups)
    assert means[2, 5] == pytest.approx(similar[np.ix_(groups == 2, groups == 5)].mean(), rel=1e-4)


def test_real_photos_of_six_people_are_grouped_without_a_wrong_pair() -> None:
    detector = load_detector("dlib")
    embeddings, people = orl_faces(6, 5)
    groups = group_people(similarity_matrix(embeddings, detector.similarity), detector.group_similarity)
    together = groups[:, None] == groups
    same = people[:, None] == people
    assert not (together & ~same).any()
    assert (together & same).sum() > 0.7 * same.sum()
