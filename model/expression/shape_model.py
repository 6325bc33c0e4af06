"""A linear model of face shapes: a frontal landmark shape is a mean, plus what tells people apart, plus expression.

    shape = mean + Σ aₖ identityₖ + Σ eₖ expressionₖ

in the units of the reference face, with depths for the head's pose (`head_pose.py`). Identity is the spread of the
people's neutrals, expression the spread of a person's photos around their neutral; both bases are principal
components. Coefficients of a face are found by ridge regression: their variances over the training faces are the
prior, what the bases leave over is the noise (the posterior mean of a linear Gaussian model).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mien.model.errors import ModelError, WeightsError
from mien.model.expression.head_pose import fit_pose, generic_depths
from mien.model.expression.neutral import neutral_by_construction, to_reference_units
from mien.model.landmarks.schemes import mirror_indices

MAX_IDENTITY, MAX_EXPRESSION = 16, 20
"""Coefficients."""
_KEPT_VARIANCE = 0.97
_DEPTH_ROUNDS = 3
_DEPTH_PRIOR = 2.0
"""Weight of the generic depths, in sums of squared sines: as much as 260 photos turned by 5 degrees."""
_CALM_PHOTO = 0.25
"""Spread of the expression in a photo that has to serve as neutral, over that of all photos. With 1, the model takes
much of a face's shape for expression: 19 % of shapes asked from single photos were then nearer to the driver, not 3 %
(actors, 12 people fit, 11 measured)."""


@dataclass(frozen=True)
class ShapeModel:
    """Fitted by `fit`, stored with the generator."""

    mean: Float[np.ndarray, "68 3"]
    identity: Float[np.ndarray, "k 68 2"]
    """Directions of unit length, the strongest first."""
    identity_std: Float[np.ndarray, " k"]
    expression: Float[np.ndarray, "m 68 2"]
    expression_std: Float[np.ndarray, " m"]
    noise: Float[np.ndarray, " 1"]
    """Standard deviation per coordinate that both bases leave over."""

    @property
    def depths(self) -> Float[np.ndarray, " 68"]:
        """Of the mean face, in distances between the eye centres."""
        return self.mean[:, 2]

    @staticmethod
    def fit(points: Float[np.ndarray, "n 68 2"], identities: Int[np.ndarray, " n"]) -> ShapeModel:
        """Fits the model to photos in [-1, 1] over crops that were aligned alike; `identities` number the people.

        Each face counts once as it is and once mirrored.

        Raises:
            ModelError: there are not two people with two photos each.
        """
        people = [np.flatnonzero(identities == person) for person in np.unique(identities)]
        people = [rows for rows in people if len(rows) >= 2]
        if len(people) < 2:
            raise ModelError("a shape model needs several photos each of at least two people: add photos")
        flat, scale, shift = to_reference_units(points)
        neutrals = np.stack([neutral_by_construction(points[rows]) for rows in people]) * scale + shift
        head = np.column_stack([_symmetric(neutrals.mean(0)), generic_depths()])
        rows, of_person = np.concatenate(people), np.repeat(np.arange(len(people)), [len(rows) for rows in people])
        for _ in range(_DEPTH_ROUNDS):
            head[:, 2] = _depths(flat[rows], neutrals[of_person], head[:, 2])
        heads = np.concatenate([neutrals, np.tile(head[:, 2:], (len(people), 1, 1))], axis=-1)[of_person]
        frontal = fit_pose(heads, flat[rows]).frontal(flat[rows], heads)
        return _components(head, neutrals, frontal - neutrals[of_person])

    def project_expression(self, displacement: Float[np.ndarray, "batch 68 2"]) -> Float[np.ndarray, "batch 68 2"]:
        """The share of displacements from a neutral (reference units, from the front) that is expression."""
        solve = _ridge(self.expression, self.expression_std, self.noise)
        return np.tensordot(displacement.reshape(len(displacement), -1) @ solve, self.expression, 1)

    def without_expression(self, calm: Float[np.ndarray, "68 2"], photos: int) -> Float[np.ndarray, "68 2"]:
        """A person's neutral from the mean of the calmest of `photos` photos; from the front, in reference units.

        What the model sees as expression in it is taken off. The more photos there are, the less is to be expected:
        the spread of the expression is taken to be that of one photo over their number.
        """
        std = np.append(self.identity_std, self.expression_std * (_CALM_PHOTO / photos))
        solve = _ridge(np.concatenate([self.identity, self.expression]), std, self.noise)
        found = (calm - self.mean[:, :2]).reshape(1, -1) @ solve
        return calm - np.tensordot(found[:, len(self.identity) :], self.expression, 1)[0]

    def tensors(self) -> dict[str, np.ndarray]:
        """The parameters by name."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name), np.float64) for field in fields(self)}

    @staticmethod
    def from_tensors(tensors: Mapping[str, np.ndarray]) -> ShapeModel:
        """The model with these parameters."""
        return ShapeModel(**tensors)

    def save(self, path: Path) -> None:
        """Writes the parameters as safetensors."""
        save_file(self.tensors(), path)

    @staticmethod
    def load(path: Path) -> ShapeModel:
        """Reads what `save` wrote.

        Raises:
            WeightsError: the file is missing, damaged or of another version.
        """
        try:
            return ShapeModel.from_tensors(load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise WeightsError(f"the shape model {path} cannot be read ({error}): train the generator anew") from error


def _symmetric(shape: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "68 2"]:
    return (shape + _mirrored(shape[None])[0]) / 2


def _mirrored(shapes: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n 68 2"]:
    return shapes[:, list(mirror_indices())] * np.array([-1, 1])


def _depths(
    flat: Float[np.ndarray, "n 68 2"], neutrals: Float[np.ndarray, "n 68 2"], depths: Float[np.ndarray, " 68"]
) -> Float[np.ndarray, " 68"]:
    """Better depths: what the poses, as fitted with the present ones, move beyond the flat neutral (least squares).

    A turn moves a point by s r₃ z, r₃ being the third column of R₂. Depths are known up to one factor; the nose tip
    keeps the generic one's.
    """
    heads = np.concatenate([neutrals, np.tile(depths[:, None], (len(flat), 1, 1))], axis=-1)
    pose = fit_pose(heads, flat)
    turn = (pose.scale[:, None] * pose.rotation[:, :2, 2])[:, None]
    heads[..., 2] = 0
    moved = flat - pose.project(heads)
    generic = generic_depths()
    found = ((turn * moved).sum((0, 2)) + _DEPTH_PRIOR * generic) / ((turn**2).sum() + _DEPTH_PRIOR)
    found = (found + found[list(mirror_indices())]) / 2
    return found * (generic[30] / found[30])


def _components(
    head: Float[np.ndarray, "68 3"], neutrals: Float[np.ndarray, "p 68 2"], moved: Float[np.ndarray, "n 68 2"]
) -> ShapeModel:
    people = np.concatenate([neutrals, _mirrored(neutrals)]) - head[:, :2]
    photos = np.concatenate([moved, _mirrored(moved)])
    identity, identity_std = _principal(people, MAX_IDENTITY)
    expression, expression_std = _principal(photos, MAX_EXPRESSION)
    left = photos - np.tensordot(np.tensordot(photos, expression, ((1, 2), (1, 2))), expression, 1)
    noise = np.sqrt((left**2).mean())
    return ShapeModel(head, identity, identity_std, expression, expression_std, np.array([max(noise, 1e-4)]))


def _principal(
    shapes: Float[np.ndarray, "n 68 2"], max_count: int
) -> tuple[Float[np.ndarray, "k 68 2"], Float[np.ndarray, " k"]]:
    """Directions about zero that explain most of the shapes, and the spread along each."""
    _, values, vectors = np.linalg.svd(shapes.reshape(len(shapes), -1), full_matrices=False)
    explained = np.cumsum(values**2) / max((values**2).sum(), 1e-12)
    count = int(min(np.searchsorted(explained, _KEPT_VARIANCE) + 1, max_count, len(values)))
    return vectors[:count].reshape(count, 68, 2), values[:count] / np.sqrt(len(shapes))


def _ridge(
    basis: Float[np.ndarray, "k 68 2"], std: Float[np.ndarray, " k"], noise: Float[np.ndarray, " 1"]
) -> Float[np.ndarray, "136 k"]:
    """What a flattened shape is multiplied by for its coefficients c: least |Bc − shape|² / noise² + Σ cₖ² / stdₖ²."""
    flat = basis.reshape(len(basis), -1)
    prior = np.diag((noise / np.maximum(std, 1e-9)) ** 2)
    return np.linalg.solve(flat @ flat.T + prior, flat).T
