"""The gate: which generated faces are accepted, and the reason of each that is not.

A limit that is not asked for is calibrated on the set (`tasks/transfer/gate_limits.py`); where that cannot be, the
limit of `GateLimits` holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, NamedTuple

import numpy as np

from mien.model.configuration.bounds import Bounds, NotNegative, check_bounds
from mien.model.quality.change import PARTS, ChangePart, PartChange
from mien.model.quality.face_measures import Asked, FaceMeasures

LARGE = 2.5
"""A change is large where a part is asked for so many times its least change."""


@dataclass(frozen=True)
class GateLimits:
    """Limits that a generated face has to keep to be accepted."""

    min_identity_similarity: float
    """To the source photo."""
    min_person_margin: float = 0.04
    """Similarity to the person's own photos, less that to the photos of the nearest other person of the set."""
    min_driver_margin: float = 0.0
    """Similarity to the source photo, less that to the driver's."""
    min_expression_reached: float = 0.3
    """Mean share of the asked change that is found, over the parts that are asked to change."""
    min_part_reached: float = 0.1
    """The same share, of each part that is asked to change."""
    max_expression_error: float = 0.1
    """Mean distance between found and asked landmarks, as a share of the inter-ocular distance."""
    min_sharpness_ratio: float = 0.2
    """Detail of the face over that of the source's crop; then of the mouth and the eyes alone."""
    max_sharpness_ratio: float = 4.0
    """A checkered face has more detail than a photo."""
    min_mouth_sharpness_ratio: float = 0.2
    """Of the box around the lips."""
    max_mouth_sharpness_ratio: float = 5.0
    """Of the same."""
    min_eyes_sharpness_ratio: float = 0.15
    """Of the boxes around both eyes."""
    max_eyes_sharpness_ratio: float = 8.0
    """Of the same."""
    max_texture_error: float = 0.7
    """How far the wavelet bands of the face differ from the source's, in octaves."""
    min_contrast_ratio: float = 0.7
    """Of the face's grey values, over that of the source's."""
    max_colour_difference: float = 15.0
    """Distance of the face's mean colour to the source's, in CIE L*a*b*."""
    min_detector_score: float = -math.inf
    """Of the face found on the result, in the detector's unit."""
    min_mouth_asked: float = 0.03
    """A part that is asked to change less than this is asked for little. Root mean square over its coordinates, in
    distances between the eye centres."""
    min_lids_asked: float = 0.03
    """Of the gaps between the lids."""
    min_brows_asked: float = 0.04
    """Of the brows' heights above the eyes."""
    min_jaw_asked: float = 0.08
    """Of the heights of the jaw's outline."""
    min_pose_asked: float = 8.0
    """In degrees."""

    def min_asked(self, part: ChangePart) -> float:
        """Below, a part is asked for little."""
        value: float = getattr(self, f"min_{part}_asked")
        return value


@dataclass(frozen=True)
class GateSettings:
    """Limits of the gate. One that is not set is calibrated on the set, or is that of `GateLimits`."""

    min_identity_similarity: float | None = None
    """To the source photo. Neither set nor calibrated: the embedder's customary threshold for photos of one person."""
    min_person_margin: float | None = None
    """Similarity to the person's own photos, less that to the photos of the nearest other person of the set."""
    min_driver_margin: float | None = None
    """Similarity to the source photo, less that to the driver's."""
    min_expression_reached: float | None = None
    """Mean share of the asked change that is found, over the parts that are asked to change. A copy has 0."""
    min_part_reached: float | None = None
    """The same share, of each part that is asked to change."""
    max_expression_error: NotNegative | None = None
    """Mean distance between found and asked landmarks, as a share of the inter-ocular distance."""
    min_sharpness_ratio: NotNegative | None = None
    """Detail of the face over that of the source's crop; then of the mouth and the eyes alone."""
    max_sharpness_ratio: NotNegative | None = None
    """A checkered face has more detail than a photo."""
    min_mouth_sharpness_ratio: NotNegative | None = None
    """Of the box around the lips."""
    max_mouth_sharpness_ratio: NotNegative | None = None
    """Of the same."""
    min_eyes_sharpness_ratio: NotNegative | None = None
    """Of the boxes around both eyes."""
    max_eyes_sharpness_ratio: NotNegative | None = None
    """Of the same."""
    max_texture_error: NotNegative | None = None
    """How far the wavelet bands of the face differ from the source's, in octaves."""
    min_contrast_ratio: NotNegative | None = None
    """Of the face's grey values, over that of the source's."""
    max_colour_difference: NotNegative | None = None
    """Distance of the face's mean colour to the source's, in CIE L*a*b*."""
    min_detector_score: float | None = None
    """Of the face found on the result, in the detector's unit."""
    min_mouth_asked: NotNegative | None = None
    """A part that is asked to change less than this is asked for little. Root mean square over its coordinates, in
    distances between the eye centres."""
    min_lids_asked: NotNegative | None = None
    """Of the gaps between the lids."""
    min_brows_asked: NotNegative | None = None
    """Of the brows' heights above the eyes."""
    min_jaw_asked: NotNegative | None = None
    """Of the heights of the jaw's outline."""
    min_pose_asked: Annotated[float, Bounds(min=0, max=180)] | None = None
    """In degrees."""

    def __post_init__(self) -> None:
        check_bounds(self)

    def limits(self, customary_similarity: float) -> GateLimits:
        """All limits; `customary_similarity` is the embedder's threshold for two photos of one person."""
        return GateLimits(**{"min_identity_similarity": customary_similarity} | self.chosen())

    def chosen(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class ChangeAsked(NamedTuple):
    """What was asked of a face, and how much of it is found."""

    asked: Asked
    reached: float | None
    """Mean over the parts that are asked to change; None where little is asked."""


def change_asked(changes: Mapping[ChangePart, PartChange], limits: GateLimits) -> ChangeAsked:
    """Whether a face is asked for a change, and how much of it is found.

    More than what was asked counts as what was asked: a mouth too wide does not make up for lids that stay open.
    """
    times: dict[ChangePart, float] = {
        part: change.asked / max(limits.min_asked(part), 1e-9) for part, change in changes.items()
    }
    parts: list[ChangePart] = [part for part in PARTS if times[part] >= 1]
    if not parts:
        return ChangeAsked("little", None)
    reached = float(np.mean([np.clip(changes[part].reached, -1, 1) for part in parts]))
    return ChangeAsked("large" if max(times.values()) >= LARGE else "middle", reached)


def broken_limit(found: FaceMeasures, limits: GateLimits) -> str | None:
    """The first limit that a face does not keep, in words with its numbers; None for a face that is accepted.

    A measure that is None breaks no limit; NaN breaks each.
    """
    if found.identity_similarity is None:
        return "no face found on the result"
    return next(_broken(found, limits), None)


def _broken(found: FaceMeasures, limits: GateLimits) -> Iterator[str]:
    identity, person, nearest = found.identity_similarity, found.person_similarity, found.nearest_similarity
    yield from _below("identity similarity", identity, limits.min_identity_similarity)
    if person is not None and nearest is not None and not person - nearest >= limits.min_person_margin:
        yield f"looks more like another person of the set ({nearest:.3f}) than like the source's photos ({person:.3f})"
    driver = found.driver_similarity
    if identity is not None and driver is not None and not identity - driver >= limits.min_driver_margin:
        yield f"looks more like the driver ({driver:.3f}) than like the source ({identity:.3f})"
    yield from _below("expression reached", found.expression_reached, limits.min_expression_reached)
    for part in PARTS:
        asked, reached = found.of_part(part)
        if asked is not None and asked >= limits.min_asked(part):
            yield from _below(f"{part} reached", reached, limits.min_part_reached)
    yield from _above("expression error", found.expression_error, limits.max_expression_error)
    for region in ("", "mouth_", "eyes_"):
        words = f"sharpness of the {region.rstrip('_') or 'face'} over the source's"
        ratio = getattr(found, f"{region}sharpness_ratio")
        yield from _below(words, ratio, getattr(limits, f"min_{region}sharpness_ratio"))
        yield from _above(words, ratio, getattr(limits, f"max_{region}sharpness_ratio"))
    yield from _above("texture error", found.texture_error, limits.max_texture_error)
    yield from _below("contrast over the source's", found.contrast_ratio, limits.min_contrast_ratio)
    yield from _above("colour difference", found.colour_difference, limits.max_colour_difference)
    yield from _below("detector score", found.detector_score, limits.min_detector_score)


def _below(words: str, value: float | None, limit: float) -> Iterator[str]:
    if value is not None and not value >= limit:
        yield f"{words} {_shown(value, limit)} is below {limit:.3f}"


def _above(words: str, value: float | None, limit: float) -> Iterator[str]:
    if value is not None and not value <= limit:
        yield f"{words} {_shown(value, limit)} is above {limit:.3f}"


def _shown(value: float, limit: float) -> str:
    """With as many digits as it takes to tell it from the limit."""
    texts = ((f"{value:.{digits}f}", f"{limit:.{digits}f}") for digits in range(3, 9))
    return next((of_value for of_value, of_limit in texts if of_value != of_limit), str(value))
