"""Clusters of expressions: faces of different people that do the same come together."""

from __future__ import annotations

import numpy as np

from mien.model.expression.clusters import FIRST_POINT, expression_offsets, fitted_centres, nearest_centres
from mien.model.landmarks.reference import reference_shape


def faces() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, people and what each does: nothing, raises the brows, or opens the mouth; 6 people × 12 photos."""
    draw = np.random.default_rng(0)
    points, people, does = [], [], []
    for person in range(6):
        own = reference_shape() + draw.normal(0, 0.02, (68, 2))
        for n in range(12):
            shape, what = own + draw.normal(0, 0.004, (68, 2)), n % 3
            if what == 1:
                shape[17:27, 1] -= 0.25
            if what == 2:
                shape[[57, 58, 56, 65, 66, 67], 1] += 0.35
                shape[4:13, 1] += 0.2
            points.append(shape / 3)
            people.append(person)
            does.append(what)
    return np.array(points), np.array(people), np.array(does)


def expression_clusters(points: np.ndarray, people: np.ndarray, clusters: int, seed: int = 0) -> np.ndarray:
    offsets = expression_offsets(points, people)
    return nearest_centres(offsets, fitted_centres(offsets, clusters, seed))


def test_people_who_do_the_same_are_of_one_cluster() -> None:
    points, people, does = faces()
    found = expression_clusters(points, people, 3)
    for what in range(3):
        assert len(set(found[does == what])) == 1
    assert len(set(found)) == 3


def test_offsets_show_what_moves_and_where() -> None:
    points, people, does = faces()
    offsets = expression_offsets(points, people).reshape(-1, 68 - FIRST_POINT, 2)
    brows = offsets[:, :10, 1].mean(1)
    assert brows[does == 1].max() < -0.1
    assert np.abs(brows[does != 1]).max() < 0.08


def test_the_same_faces_give_the_same_clusters_and_few_faces_give_few() -> None:
    points, people, _ = faces()
    assert (expression_clusters(points, people, 5, seed=2) == expression_clusters(points, people, 5, seed=2)).all()
    assert len(set(expression_clusters(points[:9], people[:9], 5))) <= 2
    assert expression_clusters(points[:3], people[:3], 5).tolist() == [0, 0, 0]
