"""How strong an expression is taken over: the driver's displacement from its neutral, scaled before retargeting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mien.model.expression.head_pose import fit_pose, generic_depths, with_depths
from mien.model.expression.retargeting import Faces
from mien.model.expression.shape_model import ShapeModel


def strengthened(
    driver: Faces, strength: float | Float[np.ndarray, " batch"], model: ShapeModel | None = None
) -> Faces:
    """The drivers with their expressions that many times as strong. The heads' poses stay; 1 changes nothing.

    The displacement is that of the face seen from the front, so that a turned head is not taken for expression.
    """
    times = np.broadcast_to(np.asarray(strength, np.float64), (len(driver.points),))
    if (times == 1).all():
        return driver
    heads = with_depths(driver.neutrals, generic_depths() if model is None else model.depths)
    pose = fit_pose(heads, driver.points)
    heads[..., :2] += times[:, None, None] * (pose.frontal(driver.points, heads) - driver.neutrals)
    return replace(driver, points=pose.project(heads))
