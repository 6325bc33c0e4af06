"""Retargeting: the driver's expression on the source's face shape.

Raw keypoints of a driver show the driver's face shape, and a generator that follows them draws the driver. Here the
driver's displacement from its own neutral is added to the source's neutral instead, in three steps:

    pose        the driver's head pose is fitted and taken out (`model/expression/head_pose.py`)
    expression  what is left beside the driver's neutral, fitted to the proportions of the source's face
    pose        the driver's pose, the source photo's, or one between is put on again

All points are the 68 common landmarks in [-1, 1] over crops that were aligned alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from mien.model.errors import ModelError
from mien.model.expression.head_pose import between, fit_pose, generic_depths, with_depths
from mien.model.expression.neutral import (
    LID_PAIRS,
    LIP_PAIRS,
    OUTER_LIPS,
    FrontalFaces,
    frontal_faces,
    gaps,
    in_crop_of,
)
from mien.model.expression.parts import PARTS, ExpressionPart, checked_parts, moved_landmarks
from mien.model.expression.rest import rest_of_single_photo, rest_shapes, rows_by
from mien.model.expression.shape_model import ShapeModel
from mien.model.expression.strength_range import Strength

RetargetKind = Literal["none", "offsets", "shape_model"]
KINDS: tuple[RetargetKind, ...] = get_args(RetargetKind)

_MIN_SCALE, _MAX_SCALE = 0.5, 2.0
_MIN_LID_GAP = 1e-3
_WIDEST_EYE, _WIDEST_MOUTH = 0.43, 0.65
"""Lid gap over eye width, and gap between the inner lips over the height from nose to chin at rest: a little more than
any of 332 photos of 23 actors shows (0.42 and 0.62). No more is asked for, unless the source's own neutral has it."""
_UNLIKE_EYES = 0.8
"""An eye that is usually open less than so much of the other eye of a neutral is taken to wink there."""
_AT_ONCE = 8192


@dataclass(frozen=True)
class RetargetSettings:
    """How the driver's keypoints become those that are asked of the generator."""

    kind: RetargetKind = "offsets"
    """`none` asks for the driver's keypoints themselves, `offsets` for its displacement from its neutral, scaled to
    the source's proportions, `shape_model` for the part of it that the fitted model knows as expression."""
    head_pose: float = 1.0
    """1 takes the driver's head pose, 0 keeps the source photo's."""
    strength: Strength = field(default_factory=Strength)
    """How many times the driver's displacement is asked for (`model/expression/strength.py`)."""
    parts: tuple[ExpressionPart, ...] = PARTS
    """What follows the driver; the rest stays as the source photo shows it."""

    def __post_init__(self) -> None:
        if not 0 <= self.head_pose <= 1:
            raise ModelError(f"the share of the driver's head pose must lie in 0 to 1, not {self.head_pose:g}")
        if self.kind == "none" and (self.strength != Strength() or self.parts != PARTS):
            raise ModelError(
                "the driver's own landmarks (--retarget none) have neither another strength nor parts: "
                "use --retarget offsets"
            )

    @property
    def pose_share(self) -> float:
        """Of the driver's head pose."""
        return self.head_pose if "pose" in self.parts else 0.0

    @staticmethod
    def from_mapping(kept: Mapping[str, Any]) -> RetargetSettings:
        """From what `asdict` gave, after JSON; what is not in it was not known then, and has its default."""
        given = dict(kept)
        if "strength" in given:
            given["strength"] = Strength(**given["strength"])
        if "parts" in given:
            given["parts"] = checked_parts(given["parts"])
        return RetargetSettings(**given)


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
    faces = FrontalFaces(*(np.concatenate(of_all) for of_all in zip(*parts, strict=True)))
    rested = rest_shapes(faces, people, model)
    return np.stack([in_crop_of(points[rows], shape) for rows, shape in zip(rows_by(people), rested, strict=True)])


def neutrals_of_single_photos(
    points: Float[np.ndarray, "n 68 2"],
    model: ShapeModel | None = None,
    population: Float[np.ndarray, "68 2"] | None = None,
) -> Float[np.ndarray, "n 68 2"]:
    """The neutrals of drivers who are known by one photo each, from what other people look like.

    `population` is the mean of their neutrals, where there is no model that has one.
    """
    shapes = frontal_faces(points).shapes
    mean = None if population is None else frontal_faces(population[None]).shapes[0]
    return np.stack(
        [
            in_crop_of(photo[None], rest_of_single_photo(shape, model, mean))
            for photo, shape in zip(points, shapes, strict=True)
        ]
    )


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
    source_pose, driver_pose = fit_pose(source_heads, source.points), fit_pose(driver_heads, driver.points)
    shown = source_pose.frontal(source.points, source_heads)
    asked = _expressed(
        source.neutrals,
        driver.neutrals,
        driver_pose.frontal(driver.points, driver_heads),
        model if settings.kind == "shape_model" else None,
    )
    source_heads[..., :2] = np.where(moved_landmarks(settings.parts)[:, None], asked, shown)
    return between(source_pose, driver_pose, settings.pose_share).project(source_heads)


def _expressed(
    source: Float[np.ndarray, "batch 68 2"],
    neutral: Float[np.ndarray, "batch 68 2"],
    driver: Float[np.ndarray, "batch 68 2"],
    model: ShapeModel | None,
) -> Float[np.ndarray, "batch 68 2"]:
    """The source's neutral with the displacement of the driver from its neutral; all from the front."""
    scale, moved = _proportions(source, neutral), driver - neutral
    widest_eyes, widest_mouth = _widest(source)
    if model is None:
        shape = source + scale * moved
    else:
        unit = _eye_distance(neutral)
        shape = source + _eye_distance(source) * model.project_expression(moved / unit)
    for pairs, asked in (
        (LID_PAIRS, np.minimum(_lid_gaps(source, neutral, driver), widest_eyes)),
        (LIP_PAIRS, np.minimum(_lip_gaps(source, neutral, driver, scale[:, [66], 1]), widest_mouth)),
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
    """The driver's share of its usual opening, of the source's: what is closed on one is closed on the other.

    A neutral that winks is no usual opening of that eye; the other eye tells more.
    """
    mine, usual, now = (gaps(shape, LID_PAIRS).clip(0) for shape in (source, neutral, driver))
    other_eye = usual.reshape(-1, 2, 2)[:, ::-1].mean(2).repeat(2, axis=1)
    return mine * now / np.maximum(usual, _UNLIKE_EYES * other_eye).clip(_MIN_LID_GAP)


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


def _widest(
    source: Float[np.ndarray, "batch 68 2"],
) -> tuple[Float[np.ndarray, "batch lid_pairs"], Float[np.ndarray, "batch lip_pairs"]]:
    """How far eyes and mouth may open: what faces of the source's proportions show at most. A driver whose neutral has
    an eye nearly shut would ask for a multiple of it."""
    widths = [np.abs(source[:, outer, 0] - source[:, inner, 0]) for outer, inner in ((36, 39), (45, 42))]
    eyes = _WIDEST_EYE * np.stack([widths[0], widths[0], widths[1], widths[1]], axis=1)
    mouth = _WIDEST_MOUTH * (source[:, [8], 1] - source[:, [33], 1])
    return np.maximum(eyes, gaps(source, LID_PAIRS)), np.maximum(mouth, gaps(source, LIP_PAIRS))


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
