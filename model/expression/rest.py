"""The faces of many people at rest: what is expression in their calmest photos is taken off."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from mien.model.expression.neutral import FrontalFaces, at_rest, calm_shape
from mien.model.expression.shape_model import ShapeModel


def rows_by(people: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " rows"]]:
    """The photos of each person, in the order of their numbers."""
    order = np.argsort(people, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(people[order])) + 1)


def rest_shapes(
    faces: FrontalFaces, people: Int[np.ndarray, " n"], model: ShapeModel | None = None
) -> Float[np.ndarray, "people 68 2"]:
    """The neutral of each person, in reference units, in the order of their numbers."""
    shapes: list[np.ndarray] = []
    for rows in rows_by(people):
        shape = at_rest(calm_shape(FrontalFaces(faces.shapes[rows], faces.turned[rows])))
        if model is not None:
            shape = at_rest(model.without_expression(shape, len(rows)))
        shapes.append(shape)
    return np.stack(shapes)
