"""Rows of the tables as Python has them: what `to_pylist` gives for the schemas of `storage/schemas.py`.

A value that may be null may be None. A row that was read with some columns has only those. `docs/tables.md` explains
the columns.
"""

from __future__ import annotations

from typing import TypedDict

from mien.storage.errors import ErrorKind
from mien.storage.schemas import Status, TableName


class ImageRow(TypedDict):
    """A row of `images`."""

    image_id: str | None
    uri: str
    member: str | None
    offset_bytes: int | None
    length_bytes: int | None
    row: int | None
    frame: int | None
    width_px: int | None
    height_px: int | None
    identity: str | None
    expression: str | None
    licence: str | None
    consent: str | None
    icc: bool | None
    version: str
    status: Status
    reason: str | None
    failure: ErrorKind | None


class FaceRow(TypedDict):
    """A row of `faces`."""

    face_id: str
    image_id: str
    identity: str | None
    expression: str | None
    split: str
    bbox_xyxy: list[float] | None
    score: float | None
    landmarks_xy: list[float] | None
    landmark_scheme: str | None
    source_to_crop: list[float] | None
    embedding: list[float] | None
    sharpness: float | None
    pose: list[float] | None
    face_px: float | None
    brightness: float | None
    clipped: float | None
    shape_error: float | None
    landmark_scatter: float | None
    outside: float | None
    perceptual_hash: bytes | None
    duplicate_of: str | None
    label_similarity: float | None
    identity_doubt: str | None
    detector: str | None
    found_by: str | None
    weights_licences: str | None
    commercial_use: bool | None
    crop: bytes | None
    status: Status
    reason: str | None
    failure: ErrorKind | None


class HeatmapRow(TypedDict):
    """A row of `heatmaps`."""

    face_id: str
    heatmap: bytes | None
    status: Status
    reason: str | None
    failure: ErrorKind | None


class PairRow(TypedDict):
    """A row of `pairs`."""

    pair_id: str
    identity_face_id: str
    expression_face_id: str
    further_source_ids: list[str] | None
    identity: str | None
    expression: str | None
    expression_group: str | None
    rank: int | None
    source_rank: int | None
    seed: int
    status: Status
    reason: str | None
    failure: ErrorKind | None


class TransferRow(TypedDict):
    """A row of `transfers`."""

    output_id: str
    pair_id: str
    identity_face_id: str
    expression_face_id: str
    further_source_ids: list[str] | None
    source_image_id: str | None
    driver_image_id: str | None
    further_image_ids: list[str] | None
    identity: str | None
    expression: str | None
    split: str | None
    licence: str | None
    consent: str | None
    rank: int | None
    source_rank: int | None
    strength: float | None
    parts: str | None
    neutral_photos: int | None
    model_uri: str
    model_sha256: str
    run_id: str | None
    settings: str
    inputs: str | None
    neutrals: str | None
    seed: int
    image: bytes | None
    image_format: str | None
    uri: str | None
    sha256: str | None
    identity_similarity: float | None
    person_similarity: float | None
    nearest_similarity: float | None
    driver_similarity: float | None
    expression_error: float | None
    asked: str | None
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
    found_landmarks_xy: list[float] | None
    synthetic: bool
    status: Status
    reason: str | None
    failure: ErrorKind | None


ROWS: dict[TableName, type] = {
    "images": ImageRow,
    "faces": FaceRow,
    "heatmaps": HeatmapRow,
    "pairs": PairRow,
    "transfers": TransferRow,
}
