"""The people of a set: who a face is most like, and who cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.identity.people import People


def similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.linalg.norm(first - second, axis=-1))


def photos(of: dict[str, tuple[float, float]], count: int = 6, spread: float = 0.05) -> tuple[list[str], np.ndarray]:
    """Labels and embeddings: some photos around a point for each person."""
    random = np.random.default_rng(0)
    labels = [name for name in of for _ in range(count)]
    return labels, np.array([np.array(of[name]) + random.normal(0, spread, 2) for name in labels])


@pytest.fixture
def three() -> People:
    return People.of(*photos({"ann": (0, 0), "bob": (0.5, 0), "cem": (0, 2)}), similarity)


def test_a_face_is_compared_with_its_person_and_the_nearest_other(three: People) -> None:
    face = np.array([0.1, 0.0])
    own, other = three.own(face, "ann", similarity), three.nearest_other(face, "ann", similarity)
    assert own == pytest.approx(0.9, abs=0.05)
    assert other == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("person", [None, "dan"])
def test_a_person_who_is_not_known_has_neither(three: People, person: str | None) -> None:
    face = np.zeros(2)
    assert three.own(face, person, similarity) is None
    assert three.nearest_other(face, person, similarity) is None


def test_one_person_alone_has_no_other() -> None:
    people = People.of(*photos({"ann": (0, 0)}), similarity)
    assert people.nearest_other(np.zeros(2), "ann", similarity) is None


def test_two_labels_of_one_person_are_told_and_do_not_count_against_each_other() -> None:
    people = People.of(*photos({"ann": (0, 0), "anna": (0.01, 0), "bob": (1, 0)}, count=12), similarity)
    assert people.confused(similarity) == [("ann", "anna")]
    nearest = people.nearest_other(np.zeros(2), "ann", similarity)
    assert nearest == pytest.approx(0, abs=0.1)  # bob


def test_people_of_one_photo_each_confuse_nobody() -> None:
    people = People.of(["ann", "bob"], np.array([[0.0, 0], [0.01, 0]]), similarity)
    assert people.confused(similarity) == []
    assert people.nearest_other(np.zeros(2), "ann", similarity) == pytest.approx(0.99)
