"""Each generated face is measured as if it were a photo: the detector sees the face on it and embeds it.

Nothing is copied from the inputs of the generator. The source's own crop is looked at in the same way, at the same
size, so that what the detector is off, and what the camera lacks, counts on both sides. A detector that can look at a
known place looks where the source's face is, on both: a search would cost more and find the same. Where it sees no face
there, it searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.detection.detector import FaceDetector, FoundFace, embed_each, look_each
from mien.model.identity.people import People
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.gaze import gaze
from mien.model.landmarks.schemes import LandmarkScheme, interocular_px, to_common
from mien.model.quality.change import gaze_change, part_changes
from mien.model.quality.face_measures import FaceMeasures
from mien.model.quality.gate import GateLimits, GateSettings, broken_limit, change_asked
from mien.model.quality.likeness import Look, likeness, look_at

Picture = UInt8[np.ndarray, "side side 3"]
Points = Float[np.ndarray, "68 2"]
Gaze = Float[np.ndarray, "2 2"]


@dataclass(frozen=True)
class SourceView:
    """The source's crop at the size of the generated picture, as the detector sees it."""

    points: Points
    """Landmarks found on it, in [-1, 1]."""
    look: Look
    gaze: Gaze | None = None
    """None where the detector sees no irises."""


@dataclass(frozen=True)
class TargetFace:
    """What a generated face is compared with. Points are the 68 common landmarks in [-1, 1]."""

    source_embedding: Float[np.ndarray, " d"]
    driver_embedding: Float[np.ndarray, " d"] | None
    """None where the driver is the same person: then it does not matter which photo the face is more like."""
    source_points: Points
    """Those that the asked ones were derived from."""
    asked_points: Points
    source: SourceView | None
    """None where no face is found on the source's crop; then a face is rejected, since no change can be measured."""
    source_gaze: Gaze | None = None
    """Of the landmarks that the asked ones were derived from (`model/landmarks/gaze.py`); None if not known."""
    asked_gaze: Gaze | None = None
    """The gaze that is asked for."""
    person: str | None = None
    people: People | None = None
    """Of the source's set."""


@dataclass(frozen=True)
class Judgement(FaceMeasures):
    """The measures of a generated face, and what the gate says."""

    reason: str | None = None
    """Why it is rejected; None if it is accepted."""
    landmarks_xy: list[float] | None = None
    """x and y of the 68 common landmarks found on it, in turns, in [-1, 1]; None where no face was found."""


def view_sources(detector: FaceDetector, crops: Sequence[Picture], points: Sequence[Points]) -> list[SourceView | None]:
    """The sources' crops, of the size of the generated pictures, as the detector sees them; None where it sees no face.

    The points are the sources' landmarks in [-1, 1].
    """
    views: list[SourceView | None] = []
    for crop, face in zip(crops, _look(detector, crops, points), strict=True):
        if face is None:
            views.append(None)
            continue
        found = _points(face, crop)
        views.append(SourceView(found, look_at(crop, found), gaze(face.landmarks_xy, face.scheme)))
    return views


def judge_faces(
    detector: FaceDetector, generated: Sequence[Picture], targets: Sequence[TargetFace], gate: GateSettings
) -> list[Judgement]:
    """Measures generated faces and applies the gate; they are looked at and embedded together."""
    limits = gate.limits(detector.same_person_similarity)
    found = _look(detector, generated, [target.source_points for target in targets])
    seen = [(image, face) for image, face in zip(generated, found, strict=True) if face is not None]
    embeddings = iter(embed_each(detector, [image for image, _ in seen], [face for _, face in seen]))
    return [
        Judgement(reason=broken_limit(FaceMeasures(), limits))
        if face is None
        else _judged(detector, image, face, next(embeddings), target, limits)
        for image, face, target in zip(generated, found, targets, strict=True)
    ]


def _look(detector: FaceDetector, pictures: Sequence[Picture], points: Sequence[Points]) -> list[FoundFace | None]:
    """The face of each picture, looked for where the points are first."""
    return look_each(
        detector, pictures, [to_px(each, len(picture)) for each, picture in zip(points, pictures, strict=True)]
    )


def _judged(
    detector: FaceDetector,
    image: Picture,
    face: FoundFace,
    embedding: Float[np.ndarray, " d"],
    target: TargetFace,
    limits: GateLimits,
) -> Judgement:
    points = _points(face, image)
    measured: dict[str, Any] = {
        **_identity(detector, embedding, target),
        "expression_error": landmark_error(points, "ibug68", target.asked_points, "ibug68"),
        "detector_score": float(face.score),
        **(_against_source(image, points, target, target.source, limits) if target.source else {}),
        **_gaze(face, target),
    }
    reason = broken_limit(FaceMeasures(**measured), limits)
    if reason is None and target.source is None:
        reason = "no face found on the source's crop, so the change cannot be measured"
    return Judgement(**measured, reason=reason, landmarks_xy=points.ravel().tolist())


def _identity(
    detector: FaceDetector, embedding: Float[np.ndarray, " d"], target: TargetFace
) -> dict[str, float | None]:
    similar, people, person = detector.similarity, target.people, target.person
    driver = target.driver_embedding
    return {
        "identity_similarity": float(similar(embedding, target.source_embedding)),
        "driver_similarity": None if driver is None else float(similar(embedding, driver)),
        "person_similarity": None if people is None else people.own(embedding, person, similar),
        "nearest_similarity": None if people is None else people.nearest_other(embedding, person, similar),
    }


def _against_source(
    image: Picture, points: Points, target: TargetFace, source: SourceView, limits: GateLimits
) -> dict[str, Any]:
    changes = part_changes(target.source_points, target.asked_points, source.points, points)
    change, like = change_asked(changes, limits), likeness(look_at(image, points), source.look)
    of_parts = {
        name: value
        for part, of_part in changes.items()
        for name, value in ((f"{part}_asked", of_part.asked), (f"{part}_reached", of_part.reached))
    }
    return {
        "asked": change.asked,
        "expression_reached": change.reached,
        **of_parts,
        "sharpness_ratio": like.sharpness["face"],
        "mouth_sharpness_ratio": like.sharpness["mouth"],
        "eyes_sharpness_ratio": like.sharpness["eyes"],
        "texture_error": like.texture_error,
        "contrast_ratio": like.contrast_ratio,
        "colour_difference": like.colour_difference,
    }


def _gaze(face: FoundFace, target: TargetFace) -> dict[str, float]:
    before = target.source.gaze if target.source else None
    found = gaze(face.landmarks_xy, face.scheme)
    if target.source_gaze is None or target.asked_gaze is None or before is None or found is None:
        return {}
    change = gaze_change(target.source_gaze, target.asked_gaze, before, found)
    return {"gaze_asked": change.asked, "gaze_reached": change.reached}


def _points(face: FoundFace, image: Picture) -> Points:
    return from_px(to_common(face.landmarks_xy, face.scheme), len(image)).astype(np.float64)


def landmark_error(
    found_xy: Float[np.ndarray, "n 2"],
    found_scheme: LandmarkScheme,
    target_xy: Float[np.ndarray, "m 2"],
    target_scheme: LandmarkScheme,
) -> float:
    """Normalised mean error: mean distance of the 68 common landmarks over the target's inter-ocular distance."""
    found, target = to_common(found_xy, found_scheme), to_common(target_xy, target_scheme)
    return float(np.linalg.norm(found - target, axis=1).mean() / interocular_px(target, "ibug68"))
