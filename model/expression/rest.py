"""The faces of many people at rest: what is expression in their calmest photos is taken off."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from mien.model.expression.neutral import FrontalFaces, at_rest, calm_shape
from mien.model.expression.shape_model import ShapeModel

_EXPRESSION_SHARE = 0.75
"""Of what a single photo shows beyond the population's mean along the model's expressions, so much is taken for
expression. Of the displacement from the neutral of all photos, 0.65 then remains (0.22 without), and 0.3% of the shapes
asked of other people are nearer to the driver's (actors, half of the people fit, the others measured)."""
_MEAN_SHARE = 0.4
"""So much of the mean is mixed in where no model tells expression from face shape; with half, one in ten of the shapes
asked is nearer to the driver's."""


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


def rest_of_single_photo(
    shape: Float[np.ndarray, "68 2"],
    model: ShapeModel | None = None,
    population: Float[np.ndarray, "68 2"] | None = None,
) -> Float[np.ndarray, "68 2"]:
    """The neutral of a driver who is known by one photo; all in reference units, from the front.

    The photo is hardly ever at rest, and an expression is lost as far as it is taken for the face. So what it shows
    along the directions of the model's expressions is taken off for the most part. Without a model it comes nearer to
    the mean of other people's neutrals; without these it is put to rest by construction alone.
    """
    rested = at_rest(shape)
    if model is not None:
        moved = model.project_expression((rested - model.mean[:, :2])[None])[0]
        return at_rest(rested - _EXPRESSION_SHARE * moved)
    return rested if population is None else at_rest(rested + _MEAN_SHARE * (population - rested))
