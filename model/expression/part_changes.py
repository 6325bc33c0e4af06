"""Landmarks of which one part shows another expression: the lids, the mouth, the brows or the gaze.

They go with a photo that does not show that: somebody who judges whether landmarks match a photo has to look at every
part. A part is taken from another photo, in the face's own frame, or opened, closed, widened or shifted by a drawn
amount; the latter where both photos show it alike. All other landmarks stay.

A closed line (`landmarks/contours.py`) runs from a corner along the upper edge to the other corner and back along the
lower edge, so its points come in pairs. An opening is the mean distance of these pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.parts import LandmarkScheme, Part
from mien.model.landmarks.schemes import part_indices, to_common

ChangedPart = Literal["lids", "mouth", "brows", "gaze"]

LEAST_LIDS, LEAST_GAZE = 0.08, 0.12
"""Of a change, in widths of the eye: less is what detectors err by."""
LEAST_MOUTH, LEAST_BROWS = 0.04, 0.035
"""Likewise, in distances of the outer corners of the eyes; of brows and lips the mean over their landmarks."""
WIDEST_EYE, WIDEST_MOUTH = 0.42, 0.4
"""Drawn openings lie below these: lid gap over eye width, lip gap over the distance of the outer corners."""
_UPPER_LID, _UPPER_LIP = 0.75, 0.25
"""Of a change of the gap, what the upper edge moves."""
_STABLE = (36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35)
"""Of the common landmarks, what hardly moves with expressions: the corners of the eyes, the nose."""

Points = Float64[np.ndarray, "points 2"]


def changeable(scheme: LandmarkScheme) -> tuple[ChangedPart, ...]:
    """The parts that a scheme has landmarks of."""
    return ("lids", "mouth", "brows", "gaze") if irises(scheme) else ("lids", "mouth", "brows")


def with_changed_part(
    landmarks: Float[np.ndarray, "points 2"],
    other: Float[np.ndarray, "points 2"],
    scheme: LandmarkScheme,
    part: ChangedPart,
    random: np.random.Generator,
) -> Points:
    """The landmarks of a photo with one part changed, by far enough to be seen; in the unit of the landmarks.

    Args:
        landmarks: Of the photo.
        other: Of another photo, which the part is taken from in one of two cases.
        scheme: Of both.
        part: One of `changeable(scheme)`.
        random: Decides where the part comes from, and how far it moves.
    """
    own, donor = landmarks.astype(np.float64), other.astype(np.float64)
    return _CHANGES[part](_Face(own, scheme), _Face(donor, scheme), random)


def with_shut_eyes(landmarks: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> Points:
    """The landmarks with both eyes shut."""
    face = _Face(landmarks.astype(np.float64), scheme)
    out = face.points.copy()
    for loop in face.eyes:
        _open(out, face, loop, 0.0, _UPPER_LID)
    return out


class _Loop(NamedTuple):
    """A closed line: its corners, and the landmarks of its edges in pairs."""

    corners: tuple[int, int]
    upper: Int[np.ndarray, " pairs"]
    lower: Int[np.ndarray, " pairs"]

    @property
    def indices(self) -> list[int]:
        return [*self.corners, *self.upper.tolist(), *self.lower.tolist()]


class _Face:
    """Landmarks, and the measures that changes are given in."""

    def __init__(self, points: Points, scheme: LandmarkScheme) -> None:
        self.points = points
        self.scheme: LandmarkScheme = scheme
        self.common = to_common(points, scheme)
        self.eyes = (_loop(scheme, "left_eye"), _loop(scheme, "right_eye"))
        down = self.common[48:68].mean(0) - self.common[36:48].mean(0)
        self.down = down / np.linalg.norm(down)
        self.unit = float(np.linalg.norm(self.common[36] - self.common[45]))

    def width(self, loop: _Loop) -> float:
        return float(np.linalg.norm(self.points[loop.corners[1]] - self.points[loop.corners[0]]))

    def gaps(self, loop: _Loop) -> Float64[np.ndarray, " pairs"]:
        """Between the edges; negative where a detector has them crossed."""
        return (self.points[loop.lower] - self.points[loop.upper]) @ self.down

    def opening(self, loop: _Loop) -> float:
        return float(self.gaps(loop).clip(0).mean())

    def indices(self, *parts: Part) -> list[int]:
        return [index for part in parts for index in part_indices(self.scheme)[part]]


def _lids(face: _Face, donor: _Face, random: np.random.Generator) -> Points:
    """The lids of the other photo between the corners of the own eyes, or lids that open or close."""
    now, then = (np.mean([f.opening(loop) / f.width(loop) for loop in f.eyes]) for f in (face, donor))
    out = face.points.copy()
    if random.random() < 0.5 and abs(then - now) >= LEAST_LIDS:
        for loop in face.eyes:
            out[loop.indices] = _carried(donor.points, face.points, loop.corners)[loop.indices]
        return out
    asked = _drawn_beside(float(now), LEAST_LIDS, WIDEST_EYE, random)
    for loop in face.eyes:
        _open(out, face, loop, asked * face.width(loop), _UPPER_LID)
    return out


def _mouth(face: _Face, donor: _Face, random: np.random.Generator) -> Points:
    """The lips of the other photo, or lips that open, close, widen or narrow."""
    lips, out = face.indices("outer_lips", "inner_lips"), face.points.copy()
    taken = _in_frame(donor, face)[lips]
    if random.random() < 0.5 and _far(taken, face.points[lips], LEAST_MOUTH * face.unit):
        out[lips] = taken
        return out
    if random.random() < 0.25:
        middle, along = face.points[lips].mean(0), np.array([face.down[1], -face.down[0]])
        wider = random.choice([-1, 1]) * random.uniform(0.12, 0.25)
        out[lips] += wider * ((face.points[lips] - middle) @ along)[:, None] * along
        return out
    inner, outer = _loop(face.scheme, "inner_lips"), _loop(face.scheme, "outer_lips")
    now = face.opening(inner) / face.unit
    moved = _open(out, face, inner, face.unit * _drawn_beside(now, 2 * LEAST_MOUTH, WIDEST_MOUTH, random), _UPPER_LIP)
    for inside, outside, by in zip((inner.upper, inner.lower), (outer.upper, outer.lower), moved, strict=True):
        out[outside] += np.interp(_along(face, outer, outside), _along(face, inner, inside), by)[:, None] * face.down
    return out


def _brows(face: _Face, donor: _Face, random: np.random.Generator) -> Points:
    """The brows of the other photo, or brows that rise or fall."""
    brows, out = face.indices("left_brow", "right_brow"), face.points.copy()
    taken = _in_frame(donor, face)[brows]
    if random.random() < 0.5 and _far(taken, face.points[brows], LEAST_BROWS * face.unit):
        out[brows] = taken
    else:
        out[brows] += random.choice([-1, 1]) * random.uniform(0.05, 0.12) * face.unit * face.down
    return out


def _gaze(face: _Face, donor: _Face, random: np.random.Generator) -> Points:
    """The irises where the other photo has them between the corners of the eyes, or irises that move alike."""
    out, turn = face.points.copy(), random.uniform(0, 2 * np.pi)
    shift = random.uniform(LEAST_GAZE, 0.3) * np.array([np.cos(turn), np.sin(turn) / 2])
    taken = [_carried(donor.points, face.points, loop.corners) for loop in face.eyes]
    found = [irises(face.scheme)[eye] for eye in ("left_eye", "right_eye")]
    far = min(
        float(np.linalg.norm(points[iris.centre] - face.points[iris.centre])) / face.width(loop)
        for points, iris, loop in zip(taken, found, face.eyes, strict=True)
    )
    look_as_donor = random.random() < 0.5 and far >= LEAST_GAZE
    across = np.array([face.down[1], -face.down[0]])
    for points, iris, loop in zip(taken, found, face.eyes, strict=True):
        drawn = face.width(loop) * (shift[0] * across + shift[1] * face.down)
        out[[iris.centre, *iris.rim]] += points[iris.centre] - face.points[iris.centre] if look_as_donor else drawn
    return out


_CHANGES: dict[ChangedPart, Callable[[_Face, _Face, np.random.Generator], Points]] = {
    "lids": _lids,
    "mouth": _mouth,
    "brows": _brows,
    "gaze": _gaze,
}


def _loop(scheme: LandmarkScheme, part: Part) -> _Loop:
    line = contours(scheme)[part][0].indices
    half = len(line) // 2
    return _Loop((line[0], line[half]), np.array(line[1:half]), np.array(line[:half:-1]))


def _open(
    out: Points, face: _Face, loop: _Loop, asked: float, upper_share: float
) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """Moves the edges in `out` to an opening; returns how far each moves downwards, the upper and the lower.

    What closes keeps its shape down to one line; what opens gets an arch between the corners.
    """
    gaps, now = face.gaps(loop), face.opening(loop)
    if asked < now:
        more = (asked / now - 1) * gaps
    else:
        along = _along(face, loop, loop.upper)
        arch = (along * (1 - along)).clip(0) + 1e-6
        more = (asked - now) * arch / arch.mean()
    moved = -upper_share * more, (1 - upper_share) * more
    for edge, by in zip((loop.upper, loop.lower), moved, strict=True):
        out[edge] += by[:, None] * face.down
    return moved


def _along(face: _Face, loop: _Loop, indices: Int[np.ndarray, " points"]) -> Float64[np.ndarray, " points"]:
    """Where landmarks lie between the corners of a loop: 0 at the first, 1 at the second."""
    start, end = face.points[list(loop.corners)]
    return (face.points[indices] - start) @ (end - start) / ((end - start) @ (end - start))


def _drawn_beside(now: float, least: float, widest: float, random: np.random.Generator) -> float:
    """Evenly from 0 to `widest`, leaving out what is nearer to `now` than `least`."""
    below, above = max(now - least, 0.0), max(widest - now - least, 0.0)
    drawn = random.uniform(0, max(below + above, 1e-9))
    return drawn if drawn < below else now + least + drawn - below


def _in_frame(donor: _Face, face: _Face) -> Points:
    """The donor's landmarks laid over the face by what hardly moves."""
    indices = list(_STABLE)
    return _laid_over(donor.points, donor.common[indices], face.common[indices])


def _carried(points: Points, onto: Points, anchors: Sequence[int]) -> Points:
    return _laid_over(points, points[list(anchors)], onto[list(anchors)])


def _laid_over(
    points: Points, anchors: Float64[np.ndarray, "anchors 2"], onto: Float64[np.ndarray, "anchors 2"]
) -> Points:
    """Points moved by the similarity that takes the anchors nearest to others (`warping/similarity.py`)."""
    start, end = anchors @ np.array([1, 1j]), onto @ np.array([1, 1j])
    centred = start - start.mean()
    turn = (centred.conj() * (end - end.mean())).sum() / (np.abs(centred) ** 2).sum()
    moved = turn * (points @ np.array([1, 1j]) - start.mean()) + end.mean()
    return np.stack([moved.real, moved.imag], axis=-1)


def _far(points: Points, others: Points, least: float) -> bool:
    return float(np.linalg.norm(points - others, axis=-1).mean()) >= least
