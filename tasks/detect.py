"""Detection and alignment: each readable image becomes rows of `faces`, a found face with its aligned crop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from model.crops import AlignedFace, align_face
from model.errors import ImageError
from model.faces import FaceDetector, FoundFace, load_detector
from model.images import decode_rgb, encode_png
from model.quality import exposure, outside_share, perceptual_hash, pose_degrees, shape_error, sharpness
from model.quality_limits import QualityLimits, broken_limit
from model.reference import AlignmentSettings, reference_shape
from storage import (
    Root,
    ShardRef,
    StorageError,
    TableRef,
    commit,
    find_shard,
    fingerprint,
    read_shard,
    read_source,
    source_digest,
    write_shard,
)
from storage.schemas import FACES
from tasks.pool import in_worker, tick
from tasks.splits import SplitSettings, split_of

CODE = source_digest(
    "tasks.detect",
    "tasks.splits",
    "model.alignment",
    "model.crops",
    "model.dlib_faces",
    "model.faces",
    "model.head_pose",
    "model.images",
    "model.insightface_faces",
    "model.landmark_windows",
    "model.landmarks",
    "model.quality",
    "model.quality_limits",
    "model.reference",
    "storage.schemas",
)

_IMAGE_COLUMNS = ["image_id", "uri", "identity", "expression", "status"]


@dataclass(frozen=True)
class DetectSettings:
    """What decides the content of `faces`, besides the images."""

    faces: str = "dlib"
    """`dlib` or `insightface:PACK_OR_FOLDER`."""
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    splits: SplitSettings = field(default_factory=SplitSettings)
    limits: QualityLimits = field(default_factory=QualityLimits)


def detect_shard(root: Root, images: str, settings: DetectSettings) -> ShardRef:
    """The shard of `faces` for a shard of `images`: found where it exists, else computed and written."""
    rows = [r for r in read_shard(root, "images", images, _IMAGE_COLUMNS).to_pylist() if r["status"] == "ok"]
    name = fingerprint(
        {
            "code": CODE,
            "detector": load_detector(settings.faces).version,
            "settings": asdict(settings),
            "reference": reference_shape().tolist(),  # data, which the digest of the code does not cover
            # The bytes of an image decide, not when it was written. The URI tells copies apart.
            "images": [[r["image_id"], r["uri"], r["identity"], r["expression"]] for r in rows],
        }
    )
    if found := find_shard(root, "faces", name):
        tick(len(rows))
        return found
    return in_worker(_detect, root, name, rows, settings)


def _detect(root: Root, name: str, images: list[dict[str, Any]], settings: DetectSettings) -> ShardRef:
    detector = load_detector(settings.faces)
    rows: list[dict[str, Any]] = []
    for image in images:
        rows += _face_rows(image, detector, settings)
        tick()
    return write_shard(root, "faces", name, pa.Table.from_pylist(rows, schema=FACES))


def _face_rows(image: dict[str, Any], detector: FaceDetector, settings: DetectSettings) -> Iterator[dict[str, Any]]:
    base = {
        "image_id": image["image_id"],
        "face_id": fingerprint([image["image_id"], 0]),
        "identity": image["identity"],
        "expression": image["expression"],
        "split": split_of(image["identity"] or image["image_id"], settings.splits),
        "detector": settings.faces,
        "status": "ok",
    }
    try:
        pixels = decode_rgb(_unchanged(image["uri"], image["image_id"]))
    except (StorageError, ImageError) as error:
        yield base | {"status": "failed", "reason": str(error)}
        return
    found = detector.find(pixels)
    if not found:
        yield base | {"status": "rejected", "reason": "no face found"}
    embeddings = detector.embed(pixels, found)
    for place, (face, embedding) in enumerate(zip(found, embeddings, strict=True)):
        columns = {"face_id": fingerprint([image["image_id"], place])}
        columns |= _face_columns(pixels, face, embedding, settings.alignment)
        # The largest face is the photo's subject; a label of the photo is a label of that one.
        reason = "not the largest face in its image" if place else broken_limit(columns, settings.limits)
        yield base | columns | ({"status": "rejected", "reason": reason} if reason else {})


def _unchanged(uri: str, image_id: str) -> bytes:
    data = read_source(uri)
    if hashlib.sha256(data).hexdigest() != image_id:
        raise StorageError(f"{uri} changed after it was indexed: run prepare again")
    return data


def _face_columns(
    pixels: np.ndarray, face: FoundFace, embedding: np.ndarray, alignment: AlignmentSettings
) -> dict[str, Any]:
    aligned = align_face(pixels, face, alignment)
    return {
        "bbox_xyxy": list(face.bbox_xyxy),
        "score": float(face.score),
        "landmarks_xy": aligned.landmarks_xy.astype(np.float32).ravel(),
        "landmark_scheme": face.scheme,
        "source_to_crop": aligned.source_to_crop.astype(np.float64).ravel(),
        "embedding": embedding.astype(np.float32),
        "sharpness": sharpness(aligned.crop),
        # Of the photo: alignment has taken the roll out of the crop.
        "pose": list(pose_degrees(face.landmarks_xy, face.scheme)),
        **_quality_columns(pixels, face, aligned),
        "found_by": face.found_by or None,
        "crop": encode_png(aligned.crop),
    }


def _quality_columns(pixels: np.ndarray, face: FoundFace, aligned: AlignedFace) -> dict[str, Any]:
    (height, width), side = pixels.shape[:2], aligned.crop.shape[0]
    light = exposure(aligned.crop, aligned.landmarks_xy, face.scheme)
    return {
        "face_px": float(np.sqrt(face.area_px)),
        "brightness": light.brightness,
        "clipped": light.clipped,
        "shape_error": shape_error(face.landmarks_xy, face.scheme),
        "landmark_scatter": face.landmark_scatter,
        "outside": max(
            outside_share(face.landmarks_xy, face.scheme, width, height),
            outside_share(aligned.landmarks_xy, face.scheme, side, side),
        ),
        "perceptual_hash": perceptual_hash(aligned.crop),
    }


def commit_faces(root: Root, images: TableRef, shards: Sequence[ShardRef], settings: DetectSettings) -> TableRef:
    """Makes the faces visible as one table."""
    return commit(root, "faces", shards, {"images": images.fingerprint, "settings": asdict(settings), "code": CODE})
