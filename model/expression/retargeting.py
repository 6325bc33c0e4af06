"""Retargeting: the driver's expression on the source's face shape.

Raw keypoints of a driver show the driver's face shape, and a generator that follows them draws the driver. Here the
driver's displacement from its own neutral is added to the source's neutral instead, in three steps:

    pose        the driver's head pose is fitted and taken out (`model/expression/head_pose.py`)
    expression  what is left beside the driver's neutral, fitted to the proportions of the source's face
    pose        the driver's pose, the source photo's, or one between is put on again

All points are the 68 common landmarks in [-1, 1] over crops that were aligned alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from mien.model.errors import ModelError
from mien.model.expression.head_pose import between, fit_pose, generic_depths, with_depths
from mien.model.expression.neutral import (
    LID_PAIRS,
    LIP_PAIRS,
    OUTER_LIPS,
    FrontalFaces,
    at_rest,
    calm_shape,
    frontal_faces,
    gaps,
    in_crop_of,
)
from mien.model.expression.shape_model import ShapeModel

RetargetKind = Literal["none", "offsets", "shape_model"]
KINDS: tuple[RetargetKind, ...] = get_args(RetargetKind)

_MIN_SCALE, _MAX_SCALE = 0.5, 2.0
_MIN_LID_GAP = 1e-3
_AT_ONCE = 8192


@dataclass(frozen=True)
class RetargetSettings:
    """How the driver's keypoints become those that are asked of the generator."""

    kind: RetargetKind = "offsets"
    """`none` asks for the driver's keypoints themselves, `offsets` for its displacement from its neutral, scaled to
    the source's proportions, `shape_model` for the part of it that the fitted model knows as expression."""
    head_pose: float = 1.0
    """1 takes the driver's head pose, 0 keeps the source photo's."""

    def __post_init__(self) -> None:
        if not 0 <= self.head_pose <= 1:
            raise ModelError(f"the share of the driver's head pose must lie in 0 to 1, not {self.head_pose:g}")


@dataclass(frozen=True)
class Faces:
    """Photos with their people's neutrals."""

    points: Float[np.ndarray, "batch 68 2"]
    neutrals: Float[np.ndarray, "batch 68 2"]


def neutral_landmarks(
    points: Float[np.ndarray, "n 68 2"], model: ShapeModel | None = None
) -> Float[np.ndarray, "68 2"]:
    """The neutral of a person with these photos; with a fitted model, that tells what of a photo is expression."""
    return neutrals_by_person(points, np.zeros(len(points), np.int64), model)[0]


def neutrals_by_person(
    points: Float[np.ndarray, "n 68 2"], people: Int[np.ndarray, " n"], model: ShapeModel | None = None
) -> Float[np.ndarray, "people 68 2"]:
    """The neutrals of many people, in the order of their numbers; what turns heads to the front runs on all at once."""
    parts = [frontal_faces(points[start : start + _AT_ONCE]) for start in range(0, len(points), _AT_ONCE)]
    shapes, turned = (np.concatenate(of_all) for of_all in zip(*parts, strict=True))
    order = np.argsort(people, kind="stable")
    neutrals: list[np.ndarray] = []
    for rows in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        shape = at_rest(calm_shape(FrontalFaces(shapes[rows], turned[rows])))
        if model is not None:
            shape = at_rest(model.without_expression(shape, len(rows)))
        neutrals.append(in_crop_of(points[rows], shape))
    return np.stack(neutrals)


def check_retargeting(settings: RetargetSettings, model: ShapeModel | None) -> None:
    """Raises ModelError if a shape model is asked for and there is none."""
    if settings.kind == "shape_model" and model is None:
        raise ModelError("this generator was stored without a shape model: use --retarget offsets, or train it anew")


def retarget(
    source: Faces, driver: Faces, settings: RetargetSettings, model: ShapeModel | None = None
) -> Float[np.ndarray, "batch 68 2"]:
    """The points to ask for: the driver's expression on the source's face.

    A driver at its neutral gives the source's neutral in the driver's pose; with `offsets` and the driver's pose, a
    driver that is the source gives the driver's own points.

    Raises:
        ModelError: a shape model is asked for and there is none.
    """
    if settings.kind == "none":
        return driver.points
    check_retargeting(settings, model)
    depths = generic_depths() if model is None else model.depths
    source_heads, driver_heads = with_depths(source.neutrals, depths), with_depths(driver.neutrals, depths)
    driver_pose = fit_pose(driver_heads, driver.points)
    pose = between(fit_pose(source_heads, source.points), driver_pose, settings.head_pose)
    expression = driver_pose.frontal(driver.points, driver_heads)
    source_heads[..., :2] = _expressed(
        source.neutrals, driver.neutrals, expression, model if settings.kind == "shape_model" else None
    )
    return pose.project(source_heads)


def _expressed(
    source: Float[np.ndarray, "batch 68 2"],
    neutral: Float[np.ndarray, "batch 68 2"],
    driver: Float[np.ndarray, "batch 68 2"],
    model: ShapeModel | None,
) -> Float[np.ndarray, "batch 68 2"]:
    """The source's neutral with the displacement of the driver from its neutral; all from the front."""
    scale, moved = _proportions(source, neutral), driver - neutral
    if model is None:
        shape = source + scale * moved
    else:
        unit = _eye_distance(neutral)
        shape = source + _eye_distance(source) * model.project_expression(moved / unit)
    for pairs, asked in (
        (LID_PAIRS, _lid_gaps(source, neutral, driver)),
        (LIP_PAIRS, _lip_gaps(source, neutral, driver, scale[:, [66], 1])),
    ):
        _set_gaps(shape, pairs, asked)
    return shape


def _eye_distance(shapes: Float[np.ndarray, "batch 68 2"]) -> Float[np.ndarray, "batch 1 1"]:
    between_eyes = shapes[:, 36:42].mean(1) - shapes[:, 42:48].mean(1)
    return np.linalg.norm(between_eyes, axis=-1)[:, None, None]


def _proportions(
    source: Float[np.ndarray, "batch 68 2"], driver: Float[np.ndarray, "batch 68 2"]
) -> Float[np.ndarray, "batch 68 2"]:
    """For each landmark and axis, the source's size of what moves there over the driver's, within 1/2 to 2.

    So a small mouth gets a small smile, and a short chin drops less. Eyes go by their width; the gap between lids has a
    rule of its own.
    """

    def ratio(axis: int, first: int, second: int) -> np.ndarray:
        mine, other = (np.abs(shape[:, second, axis] - shape[:, first, axis]) for shape in (source, driver))
        return np.clip(mine / np.maximum(other, 1e-6), _MIN_SCALE, _MAX_SCALE)[:, None]

    scale = np.empty_like(source)
    lower_face = ratio(1, 33, 8)
    for landmarks, across, down in (
        (slice(0, 17), ratio(0, 0, 16), lower_face),
        (slice(17, 22), ratio(0, 17, 21), ratio(1, 19, 37)),
        (slice(22, 27), ratio(0, 22, 26), ratio(1, 24, 44)),
        (slice(27, 36), ratio(0, 31, 35), ratio(1, 27, 33)),
        (slice(36, 42), ratio(0, 36, 39), ratio(0, 36, 39)),
        (slice(42, 48), ratio(0, 42, 45), ratio(0, 42, 45)),
        (slice(48, 68), ratio(0, 48, 54), lower_face),
    ):
        scale[:, landmarks, 0], scale[:, landmarks, 1] = across, down
    return scale


def _lid_gaps(
    source: Float[np.ndarray, "batch 68 2"],
    neutral: Float[np.ndarray, "batch 68 2"],
    driver: Float[np.ndarray, "batch 68 2"],
) -> Float[np.ndarray, "batch pairs"]:
    """The driver's share of its usual opening, of the source's: what is closed on one is closed on the other."""
    mine, usual, now = (gaps(shape, LID_PAIRS) for shape in (source, neutral, driver))
    return mine.clip(0) * (now.clip(0) / usual.clip(_MIN_LID_GAP))


def _lip_gaps(
    source: Float[np.ndarray, "batch 68 2"],
    neutral: Float[np.ndarray, "batch 68 2"],
    driver: Float[np.ndarray, "batch 68 2"],
    scale: Float[np.ndarray, "batch 1"],
) -> Float[np.ndarray, "batch pairs"]:
    """What the driver opens beyond its neutral is added; what it closes is a share, so that closed lips close."""
    mine, usual, now = (gaps(shape, LIP_PAIRS).clip(0) for shape in (source, neutral, driver))
    opened = mine + scale * (now - usual)
    closed = mine * np.divide(now, usual, out=np.ones_like(now), where=usual > 0)
    return np.where(now >= usual, opened, closed)


def _set_gaps(
    shape: Float[np.ndarray, "batch 68 2"],
    pairs: tuple[tuple[int, int], ...],
    asked: Float[np.ndarray, "batch pairs"],
) -> None:
    """Moves upper and lower points evenly to the asked gaps; the outer lips go with the inner."""
    lacking = (asked - gaps(shape, pairs)) / 2
    for (upper, lower), change in zip(pairs, lacking.T, strict=True):
        for landmark, way in ((upper, -change), (lower, change)):
            shape[:, landmark, 1] += way
            if landmark in OUTER_LIPS:
                shape[:, OUTER_LIPS[landmark], 1] += way
