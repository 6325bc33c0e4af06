"""A seeded sample of a set made again: faces from their photos, generated faces from their lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from mien.model.detection.crop import align_face
from mien.model.detection.detector import FaceDetector, find_faces
from mien.model.detection.load import load_detector
from mien.model.errors import ModelError
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import KEY_COLUMNS, Manifest, Root, StorageError, fingerprint, read_manifest, read_set
from mien.storage.rows import FaceRow, ImageRow
from mien.tasks.errors import RunError, UsageError
from mien.tasks.runtime.workers import in_worker, work_progress
from mien.tasks.sets.face_columns import crop_of, embedding_of, landmarks_px
from mien.tasks.sets.photo_reader import PictureReader, item_of
from mien.tasks.sets.references import tables_behind
from mien.tasks.sets.row_lookup import look_up, table_keys
from mien.tasks.transfer.reproduce import OTHER_CODE, reproduce

_LANDMARKS_PX = 1.0
"""So far may a landmark be from the stored one, in pixels of the crop: libraries round differently."""
_SAME_EMBEDDING = 0.98
"""Cosine of an embedding made twice from one photo, at least."""
_PIXEL_STEPS = 2.0
"""Mean difference of a picture made twice, of 255."""


@dataclass
class Recomputed:
    """What was made again, and what is wrong."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def recompute(root: Root, name: str, count: int, seed: int) -> Recomputed:
    """Makes `count` faces of each table of faces behind a set again, and `count` of its generated faces.

    Raises:
        StorageError: there is no such set, or a table cannot be read.
    """
    out = Recomputed()
    tables = read_set(root, name).tables
    for manifest in _faces_behind(root, [read_manifest(root, *reference) for reference in tables.items()]):
        _take(out, in_worker(_faces_again, root, manifest, count, seed))
    if "transfers" in tables:
        ids = table_keys(root, "transfers", tables["transfers"], "output_id")
        _transfers_again(root, name, tables["transfers"], _sample(ids, count, seed), out)
    return out


def _faces_behind(root: Root, manifests: Sequence[Manifest]) -> list[Manifest]:
    found: dict[str, Manifest] = {}
    waiting = list(manifests)
    seen = set[tuple[str, str]]()
    while waiting:
        manifest = waiting.pop(0)
        if (manifest.table, manifest.fingerprint) in seen:
            continue
        seen.add((manifest.table, manifest.fingerprint))
        if manifest.table == "faces":
            found[manifest.fingerprint] = manifest
        waiting += [read_manifest(root, *reference) for reference in tables_behind(manifest)]
    return list(found.values())


def _take(out: Recomputed, made: Recomputed) -> None:
    out.done.update(made.done)
    out.faults += made.faults
    out.left_out += made.left_out


def _sample(ids: Sequence[str], count: int, seed: int) -> list[str]:
    return sorted(Random(seed).sample(sorted(ids), min(count, len(ids))))


# --- Faces ------------------------------------------------------------------------------------------------------------


def _faces_again(root: Root, manifest: Manifest, count: int, seed: int) -> Recomputed:
    out, about = Recomputed(), dict[str, Any](manifest.about)
    where = f"faces {manifest.fingerprint}"
    try:
        detector = load_detector(about["settings"]["faces"])
    except ModelError as error:
        out.left_out.append(f"{where}: no face was detected again ({error})")
        return out
    ids = _sample(table_keys(root, "faces", manifest.fingerprint, "face_id"), count, seed)
    faces: list[FaceRow] = [row for _, row in _rows(root, "faces", manifest.fingerprint, "face_id", ids, FACE_COLUMNS)]
    photos: dict[str, ImageRow] = dict(
        _rows(root, "images", about["images"], "image_id", [face["image_id"] for face in faces], list(KEY_COLUMNS))
    )
    alignment = AlignmentSettings(**about["settings"]["alignment"])
    with PictureReader() as reader:
        for face in faces:
            what = f"{where}: face_id {face['face_id']}"
            try:
                pixels = reader.pixels(item_of(photos[face["image_id"]]), face["image_id"])
            except (StorageError, ModelError) as error:
                _from_crop(face, detector, what, str(error), out)
                continue
            out.done["faces detected again from their photos"] += 1
            out.faults += [f"{what}: {fault}" for fault in _differences(face, pixels, detector, alignment)]
    return out


FACE_COLUMNS = ["face_id", "image_id", "landmarks_xy", "embedding", "crop", "status", "reason"]


def _rows(
    root: Root, table: Any, fingerprint: str, key: str, values: Sequence[str], columns: list[str]
) -> Iterator[tuple[str, Any]]:
    for value, row in look_up(root, table, fingerprint, key, values, columns):
        yield value, row.to_pylist()[0]


def _differences(
    face: FaceRow, pixels: np.ndarray, detector: FaceDetector, alignment: AlignmentSettings
) -> Iterator[str]:
    found = find_faces(detector, pixels)
    ids = [fingerprint([face["image_id"], index]) for index in range(max(1, len(found)))]
    if face["face_id"] not in ids:
        yield f"its photo shows {len(found)} faces, and it is none of them"
        return
    index = ids.index(face["face_id"])
    if (face["crop"] is None) != (index >= len(found)):
        yield "there is a face in its photo where none is stored, or none where one is"
        return
    if face["crop"] is None:
        return
    aligned = align_face(pixels, found[index], alignment)
    landmarks = landmarks_px(face)
    if landmarks.shape != aligned.landmarks_xy.shape or np.abs(landmarks - aligned.landmarks_xy).max() > _LANDMARKS_PX:
        yield "its landmarks are not those of its photo"
    crop = crop_of(face)
    if crop.shape != aligned.crop.shape or np.abs(crop.astype(float) - aligned.crop).mean() > _PIXEL_STEPS:
        yield "its crop is not that of its photo"
    if _cosine(embedding_of(face), detector.embed(pixels, found)[index]) < _SAME_EMBEDDING:
        yield "its embedding is not that of its photo"


def _cosine(first: Any, second: Any) -> float:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)) if a.shape == b.shape else -1.0


def _from_crop(face: FaceRow, detector: FaceDetector, what: str, why: str, out: Recomputed) -> None:
    """Where the photo is away: the face on the stored crop must be the person of the stored embedding."""
    crop = None if face["crop"] is None else crop_of(face)
    found = [] if crop is None else find_faces(detector, crop)
    if crop is None or not found:
        out.left_out.append(f"{what}: neither from its photo ({why}) nor from its crop")
        return
    out.done["faces found again on their crops, since their photos are away"] += 1
    embedding = detector.embed(crop, found[:1])[0]
    similar = float(detector.similarity(embedding, embedding_of(face)))
    if similar < detector.same_person_similarity:
        out.faults.append(f"{what}: its embedding is not that of its crop")
    out.left_out.append(f"{what}: not from its photo ({why})")


# --- Generated faces --------------------------------------------------------------------------------------------------


def _transfers_again(root: Root, name: str, fingerprint: str, ids: Sequence[str], out: Recomputed) -> None:
    stored = _rows(root, "transfers", fingerprint, "output_id", ids, ["output_id", "sha256", "image"])
    made = {output_id: row["image"] for output_id, row in stored if row["sha256"] is not None}
    if len(made) < len(ids):
        out.done["transfers that were refused before they were made"] += len(ids) - len(made)
    with work_progress("generate again", len(made), "faces"):
        for output_id, image in made.items():
            what = f"transfers {fingerprint}: output_id {output_id}"
            try:
                again = reproduce(root, output_id, name)
            except (StorageError, ModelError, UsageError, RunError) as error:
                out.left_out.append(f"{what}: not generated again ({error})")
                continue
            if again.because == OTHER_CODE and image is not None and again.image is not None:
                # The picture's mark names the code, so that its bytes cannot be the same; its pixels can.
                apart = np.abs(decode_rgb(image).astype(float) - decode_rgb(again.image)).mean()
                if apart <= _PIXEL_STEPS:
                    out.done["transfers generated again by another version of the code, with the same pixels"] += 1
                    continue
            if again.because == OTHER_CODE:
                out.left_out.append(f"{what}: not compared, {OTHER_CODE}")
                continue
            out.done["transfers generated again"] += 1
            if not again.same:
                out.faults.append(f"{what}: {again.because or 'other bytes: another kind of device?'}")
