"""Expressions of different people on one face: near where they are alike, whoever shows them."""

from __future__ import annotations

import numpy as np

from mien.model.expression.common_face import on_common_face
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth
from tests.unit.model.expression.test_retargeting import posed

PEOPLE = (neutral(), narrow_mouth(neutral(), 0.85))
EXPRESSIONS = (
    lambda shape: shape,
    lambda shape: opened_mouth(shape, 0.25),
    closed_eyes,
    lambda shape: posed(shape, 20),
)


def test_the_nearest_face_of_another_person_has_the_same_expression_and_pose() -> None:
    shapes = [in_crop(made(person)) for person in PEOPLE for made in (EXPRESSIONS[0], EXPRESSIONS[0], *EXPRESSIONS)]
    people = np.repeat([0, 1], 6)
    found = on_common_face(np.stack(shapes), people).astype(float)
    first, second = found[:6], found[6:]
    apart = np.linalg.norm(first[2:, None] - second[None, 2:], axis=-1)
    assert apart.argmin(1).tolist() == [0, 1, 2, 3]


def test_the_order_of_the_people_does_not_matter() -> None:
    shapes = np.stack([in_crop(made(person)) for person in PEOPLE for made in EXPRESSIONS])
    people = np.repeat([0, 1], 4)
    order = np.random.default_rng(0).permutation(8)
    assert np.allclose(on_common_face(shapes, people)[order], on_common_face(shapes[order], people[order]), atol=2e-3)


def test_no_faces_are_no_values() -> None:
    assert on_common_face(np.zeros((0, 68, 2)), np.zeros(0, np.int64)).shape == (0, 136)
