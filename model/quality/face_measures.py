"""What is measured of a generated face: the columns of `transfers` that the gate judges by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, TypedDict

from mien.model.quality.change import ChangePart

Asked = Literal["little", "middle", "large"]


class OfPart(NamedTuple):
    """A part of the face: what was asked of it, and the share that is found."""

    asked: float | None
    reached: float | None


@dataclass(frozen=True)
class FaceMeasures:
    """Measures of one generated face. What could not be measured is None: all of it where no face was found."""

    identity_similarity: float | None = None
    """To the source photo."""
    person_similarity: float | None = None
    """To the mean of the person's own photos; None where the set is not known."""
    nearest_similarity: float | None = None
    """To the mean of the photos of the most similar other person of the set."""
    driver_similarity: float | None = None
    expression_error: float | None = None
    """Mean distance between found and asked landmarks, as a share of the inter-ocular distance."""
    asked: Asked | None = None
    """How much change was asked for: little where no part of the face was asked to change beyond its limit."""
    expression_reached: float | None = None
    """Mean over the parts that are asked to change of the share that is found; None where little was asked."""
    mouth_asked: float | None = None
    """Root mean square over the part's coordinates, in distances between the eye centres."""
    mouth_reached: float | None = None
    """Share of what was asked that is found; given however little was asked."""
    lids_asked: float | None = None
    lids_reached: float | None = None
    brows_asked: float | None = None
    brows_reached: float | None = None
    jaw_asked: float | None = None
    jaw_reached: float | None = None
    pose_asked: float | None = None
    """In degrees."""
    pose_reached: float | None = None
    gaze_asked: float | None = None
    """Of the irises between the corners of the eyes, in widths of the eye; None where the detector sees no irises."""
    gaze_reached: float | None = None
    sharpness_ratio: float | None = None
    """Detail of the face over that of the source's crop at the same size."""
    mouth_sharpness_ratio: float | None = None
    eyes_sharpness_ratio: float | None = None
    texture_error: float | None = None
    """How far the wavelet bands differ from the source's, in octaves."""
    contrast_ratio: float | None = None
    colour_difference: float | None = None
    """Of the mean colours, in CIE L*a*b*."""
    detector_score: float | None = None

    def of_part(self, part: ChangePart) -> OfPart:
        """What was asked of a part and what it reached."""
        return OfPart(getattr(self, f"{part}_asked"), getattr(self, f"{part}_reached"))


class MeasureColumns(TypedDict):
    """The measures as columns of `transfers`, by the names of `FaceMeasures`."""

    identity_similarity: float | None
    person_similarity: float | None
    nearest_similarity: float | None
    driver_similarity: float | None
    expression_error: float | None
    asked: Asked | None
    expression_reached: float | None
    mouth_asked: float | None
    mouth_reached: float | None
    lids_asked: float | None
    lids_reached: float | None
    brows_asked: float | None
    brows_reached: float | None
    jaw_asked: float | None
    jaw_reached: float | None
    pose_asked: float | None
    pose_reached: float | None
    gaze_asked: float | None
    gaze_reached: float | None
    sharpness_ratio: float | None
    mouth_sharpness_ratio: float | None
    eyes_sharpness_ratio: float | None
    texture_error: float | None
    contrast_ratio: float | None
    colour_difference: float | None
    detector_score: float | None


def columns_of(found: FaceMeasures) -> MeasureColumns:
    """The measures by name."""
    return MeasureColumns(**{field.name: getattr(found, field.name) for field in fields(FaceMeasures)})
