"""Each generated face is measured: whose identity it shows, whether it reached the target expression.

The measurements come from the same detector and embedder that found the real faces, run on the generated picture
as if it were a photo. Nothing is copied from the inputs of the generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.configuration.bounds import NotNegative, check_bounds
from mien.model.detection.detector import FaceDetector, FoundFace, embed_each
from mien.model.landmarks.schemes import LandmarkScheme, interocular_px, to_common
from mien.model.quality.measures import sharpness


@dataclass(frozen=True)
class GateSettings:
    """Limits that a generated face has to keep to be accepted."""

    min_identity_similarity: float | None = None
    """To the source photo. Where it is not set, the embedder's customary threshold for two photos of one person."""
    max_expression_error: NotNegative = 0.05
    """Mean distance between found and target landmarks, as a share of the inter-ocular distance. An unchanged copy of
    the source has about 0.06, so the default demands a change."""
    min_sharpness_ratio: NotNegative | None = None
    """Sharpness over that of the source's crop. Where it is not set, any is accepted."""
    min_detector_score: float | None = None
    """Of the face found on the result, in the detector's unit. Where it is not set, any is accepted."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class TargetFace:
    """What a generated face is compared with."""

    source_embedding: Float[np.ndarray, " d"]
    driver_embedding: Float[np.ndarray, " d"]
    landmarks_xy: Float[np.ndarray, "points 2"]
    """In pixels of the generated picture."""
    scheme: LandmarkScheme
    source_sharpness: float | None = None
    """`sharpness` of the source's crop at the size of the generated picture."""


@dataclass(frozen=True)
class Judgement:
    """Measurements of a generated face; None where no face was found on it."""

    identity_similarity: float | None
    driver_similarity: float | None
    expression_error: float | None
    reason: str | None
    """Why it is rejected; None if it is accepted."""
    sharpness_ratio: float | None = None
    detector_score: float | None = None


def judge_face(
    detector: FaceDetector, generated: UInt8[np.ndarray, "h w 3"], target: TargetFace, gate: GateSettings
) -> Judgement:
    """Measures one generated face and applies the gate."""
    return judge_faces(detector, [generated], [target], gate)[0]


def judge_faces(
    detector: FaceDetector,
    generated: Sequence[UInt8[np.ndarray, "h w 3"]],
    targets: Sequence[TargetFace],
    gate: GateSettings,
) -> list[Judgement]:
    """Measures generated faces and applies the gate; they are embedded together."""
    found = [(detector.find(image) or [None])[0] for image in generated]
    seen = [(image, face) for image, face in zip(generated, found, strict=True) if face is not None]
    embeddings = iter(embed_each(detector, [image for image, _ in seen], [face for _, face in seen]))
    return [
        _judged(detector, image, face, None if face is None else next(embeddings), target, gate)
        for image, face, target in zip(generated, found, targets, strict=True)
    ]


def _judged(
    detector: FaceDetector,
    image: UInt8[np.ndarray, "h w 3"],
    face: FoundFace | None,
    embedding: Float[np.ndarray, " d"] | None,
    target: TargetFace,
    gate: GateSettings,
) -> Judgement:
    ratio = None if not target.source_sharpness else sharpness(image) / target.source_sharpness
    if face is None or embedding is None:
        return Judgement(None, None, None, "no face found on the result", ratio)
    identity = float(detector.similarity(embedding, target.source_embedding))
    driver = float(detector.similarity(embedding, target.driver_embedding))
    error = landmark_error(face.landmarks_xy, face.scheme, target.landmarks_xy, target.scheme)
    judged = Judgement(identity, driver, error, None, ratio, float(face.score))
    return replace(judged, reason=_reason(judged, gate, detector.same_person_similarity))


def _reason(judged: Judgement, gate: GateSettings, customary_similarity: float) -> str | None:
    """The first limit that is not kept."""
    min_similarity = customary_similarity if gate.min_identity_similarity is None else gate.min_identity_similarity
    identity, driver, error = judged.identity_similarity, judged.driver_similarity, judged.expression_error
    assert identity is not None
    assert driver is not None
    assert error is not None
    if identity < min_similarity:
        return f"identity similarity {identity:.3f} is below {min_similarity:.3f}"
    if driver > identity:
        return f"looks more like the driver ({driver:.3f}) than like the source ({identity:.3f})"
    if error > gate.max_expression_error:
        return f"expression error {error:.3f} is above {gate.max_expression_error:.3f}"
    for measure, value, limit in (
        ("sharpness over the source's", judged.sharpness_ratio, gate.min_sharpness_ratio),
        ("detector score", judged.detector_score, gate.min_detector_score),
    ):
        if limit is not None and value is not None and value < limit:
            return f"{measure} {value:.3f} is below {limit:.3f}"
    return None


def landmark_error(
    found_xy: Float[np.ndarray, "n 2"],
    found_scheme: LandmarkScheme,
    target_xy: Float[np.ndarray, "m 2"],
    target_scheme: LandmarkScheme,
) -> float:
    """Normalised mean error: mean distance of the 68 common landmarks over the target's inter-ocular distance."""
    found, target = to_common(found_xy, found_scheme), to_common(target_xy, target_scheme)
    return float(np.linalg.norm(found - target, axis=1).mean() / interocular_px(target, "ibug68"))
