"""How strong an expression is taken over: the driver's displacement from its neutral, scaled before retargeting."""

from __future__ import annotations

from dataclasses import replace

from mien.model.errors import SettingsError
from mien.model.expression.head_pose import fit_pose, generic_depths, with_depths
from mien.model.expression.retargeting import Faces
from mien.model.expression.shape_model import ShapeModel

MIN_STRENGTH, MAX_STRENGTH = 0.5, 1.5
"""Below, little is left of an expression; above, landmarks lie where no face of the training has them."""


def check_strength(strength: float) -> None:
    """Raises SettingsError unless the strength lies within its bounds; NaN does not."""
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise SettingsError(f"the strength must lie in {MIN_STRENGTH:g} to {MAX_STRENGTH:g}, not {strength:g}")


def strengthened(driver: Faces, strength: float, model: ShapeModel | None = None) -> Faces:
    """The driver with its expression that many times as strong. The head's pose stays; 1 changes nothing.

    The displacement is that of the face seen from the front, so that a turned head is not taken for expression.
    """
    if strength == 1:
        return driver
    heads = with_depths(driver.neutrals, generic_depths() if model is None else model.depths)
    pose = fit_pose(heads, driver.points)
    heads[..., :2] += strength * (pose.frontal(driver.points, heads) - driver.neutrals)
    return replace(driver, points=pose.project(heads))
