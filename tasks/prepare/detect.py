"""Detection and alignment: each readable image becomes rows of `faces`, a found face with its aligned crop."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa

from mien.model.detection.crop import AlignedFace, align_face
from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.licences import allow_commercial, as_line, check_commercial
from mien.model.detection.load import KINDS, computes_on_device, detector_version, load_detector
from mien.model.images.codec import encode_png
from mien.model.landmarks.reference import AlignmentSettings, reference_shape
from mien.model.quality.limits import QualityLimits, broken_limit
from mien.model.quality.measures import exposure, outside_share, perceptual_hash, pose_degrees, shape_error, sharpness
from mien.storage import (
    KEY_COLUMNS,
    IdentityFrom,
    Root,
    ShardRef,
    fingerprint,
    read_shard,
)
from mien.storage.rows import ImageRow
from mien.storage.schemas import FACES
from mien.storage.unfinished import FormerRows, Rows, write_outcome
from mien.tasks.prepare.looking import Seen, in_batches, look_at
from mien.tasks.runtime.attempts import lost_item
from mien.tasks.runtime.pipelined import pipelined
from mien.tasks.runtime.reports import still_working
from mien.tasks.runtime.second_look import FAULTS, Answer, Row, ask_each, outcome_of
from mien.tasks.runtime.stage import Stage
from mien.tasks.runtime.workers import on_device
from mien.tasks.sets.photo_reader import PictureReader, item_of
from mien.tasks.sets.splits import Split, SplitSettings, split_of

FacesPerImage = Literal["all", "largest"]

_IMAGE_COLUMNS = ["image_id", *KEY_COLUMNS, "width_px", "height_px", "status", "failure"]

_DECISIVE = ["image_id", "uri", "member", "offset_bytes", "row", "frame", "identity", "expression"]


@dataclass(frozen=True)
class DetectSettings:
    """What decides the content of `faces`, besides the images."""

    faces: str = "dlib"
    """As `load_detector` takes it."""
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    limits: QualityLimits = field(default_factory=QualityLimits)
    faces_per_image: FacesPerImage = "largest"
    """`largest`: the photo's subject; the others are rejected. `all`: every face is used. Labels of the photo are
    the largest face's; each of the others is a person of its own."""
    identity: IdentityFrom = "source"
    """`image`: a photo without an identity is a person of its own. `cluster`: no face has one before all are there."""


def check_loads(faces: str, commercial: bool) -> None:
    """Loads a detector; one of the user's own also where the work will be done, so that it fails before that starts.

    Raises:
        DetectorError: it cannot be loaded.
        LicenceError: it may not be used commercially, and that is asked for.
    """
    detector = load_detector(faces)
    if faces.partition(":")[0] not in KINDS:
        on_device(computes_on_device(faces), detector_version, faces)
    if commercial:
        check_commercial(f"the detector {faces}", detector.weights_licences)


def _usable(images: Sequence[Row]) -> list[Row]:
    """The rows of `images` that can be used."""
    return [row for row in images if row["status"] == "ok"]


def _read(root: Root, images: str) -> list[Row]:
    return read_shard(root, "images", images, _IMAGE_COLUMNS).to_pylist()


def _setting(settings: DetectSettings) -> dict[str, Any]:
    """What decides the rows of a photo, besides the photo."""
    return {
        "detector": detector_version(settings.faces),
        "settings": asdict(settings),
        "reference": reference_shape().tolist(),
    }


def _decides(root: Root, images: str, settings: DetectSettings) -> dict[str, Any]:
    return {
        **_setting(settings),
        # The bytes of an image decide, not when it was written. The path tells copies apart.
        "images": [[row[column] for column in _DECISIVE] for row in _usable(_read(root, images))],
    }


def _make(root: Root, name: str, images: str, settings: DetectSettings) -> ShardRef:
    detector, listed = load_detector(settings.faces), _read(root, images)
    scope = fingerprint({"code": DETECT.code, **_setting(settings)})
    former = FormerRows(root, "faces", scope, _PHOTO_COLUMNS, _photo_key, _begins_photo)
    photos = _usable(listed)
    bases = [_base(image, detector, settings) for image in photos]
    known = former.take(map(_photo_key, bases))

    def failed(index: int, error: Exception) -> Row:
        return bases[index] | outcome_of(error)

    with PictureReader() as reader:
        work = _Photos(photos, bases, known, reader, detector, settings)
        answers = ask_each(range(len(photos)), work.ask, failed, "the photos", work.together)
    rows = [row for answer in answers for row in answer]
    # Photos that could not be indexed come with the next run: then this shard has another name.
    waits = any(image["failure"] == "source" for image in listed)
    shard = write_outcome(root, "faces", name, pa.Table.from_pylist(rows, schema=FACES), scope, waits)
    if shard.fingerprint == name and not waits:
        former.release(map(_photo_key, bases))
    return shard


@dataclass(frozen=True)
class _Photos:
    """The photos of a shard. The rows of each follow from it alone, whichever are looked at with it."""

    images: Sequence[Row]
    bases: Sequence[Row]
    """What the rows of a photo's faces have in common."""
    known: Mapping[Hashable, Rows]
    """Rows that a former run has made, by the keys of their photos."""
    reader: PictureReader
    detector: FaceDetector
    settings: DetectSettings

    def ask(self, index: int) -> list[Row]:
        """The rows of a photo; raises one of `FAULTS` where there are none."""
        if (taken := self._taken(index)) is not None:
            return taken
        (answer,) = self._answers([index], self._look(self._read([index])))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def together(self, indices: Sequence[int]) -> Iterator[tuple[int, Answer]]:
        """The same for many photos, of which some are looked at together."""
        fresh = list[int]()
        for index in indices:
            done = lost_item(index) or self._taken(index)
            if done is None:
                fresh.append(index)
            else:
                yield index, done
        yield from pipelined(list(in_batches(fresh, self._pixels)), self._read, self._look, self._answers)

    def _taken(self, index: int) -> list[Row] | None:
        taken = self.known.get(_photo_key(self.bases[index]))
        return None if taken is None else list(taken)

    def _pixels(self, index: int) -> int:
        return self.images[index]["width_px"] * self.images[index]["height_px"]

    def _read(self, indices: Sequence[int]) -> list[np.ndarray | Exception]:
        return [self._picture(self.images[index]) for index in indices]

    def _picture(self, image: Row) -> np.ndarray | Exception:
        still_working()
        try:
            return self.reader.pixels(item_of(cast("ImageRow", image)), image["image_id"])
        except FAULTS as error:
            return error

    def _look(self, photos: Sequence[np.ndarray | Exception]) -> list[Seen | Exception]:
        return look_at(self.detector, photos)

    def _answers(self, indices: Sequence[int], seen: Sequence[Seen | Exception]) -> list[Answer]:
        return [self._answer(index, each) for index, each in zip(indices, seen, strict=True)]

    def _answer(self, index: int, seen: Seen | Exception) -> Answer:
        if isinstance(seen, Exception):
            return seen
        try:
            return list(_face_rows(self.images[index]["image_id"], self.bases[index], seen, self.settings))
        except FAULTS as error:
            return error


_PHOTO_COLUMNS = ("face_id", "image_id", "identity", "expression")


def _photo_key(row: Row) -> tuple[Any, ...]:
    """Of the first face of a photo: what its rows follow from, besides the settings."""
    return (row["image_id"], row["identity"], row["expression"])


def _begins_photo(row: Row) -> bool:
    return row["face_id"] == fingerprint([row["image_id"], 0])


def _base(image: Row, detector: FaceDetector, settings: DetectSettings) -> Row:
    """What the rows of a photo's faces have in common."""
    identity = image["identity"] or (image["image_id"] if settings.identity == "image" else None)
    return {
        "image_id": image["image_id"],
        "face_id": fingerprint([image["image_id"], 0]),
        "identity": identity,
        "expression": image["expression"],
        "split": _split(identity or image["image_id"]),
        "detector": settings.faces,
        "weights_licences": as_line(detector.weights_licences),
        "commercial_use": allow_commercial(detector.weights_licences),
        "status": "ok",
    }


def _split(name: str) -> Split:
    """By the default settings. Comparing gives each face the split of its set: another salt detects no photo again."""
    return split_of(name, SplitSettings())


def _face_rows(image_id: str, base: Row, seen: Seen, settings: DetectSettings) -> Iterator[Row]:
    if not seen.faces:
        yield base | {"status": "rejected", "reason": "no face found"}
    for index, (face, embedding) in enumerate(zip(seen.faces, seen.embeddings, strict=True)):
        columns = {"face_id": fingerprint([image_id, index])}
        columns |= _face_columns(seen.pixels, face, embedding, settings.alignment)
        if index:
            columns |= _aside(columns["face_id"], settings)
        reason = None if columns.get("status") == "rejected" else broken_limit(columns, settings.limits)
        yield base | columns | ({"status": "rejected", "reason": reason} if reason else {})


def _aside(face_id: str, settings: DetectSettings) -> dict[str, Any]:
    """What is different of a face that is not the largest in its picture."""
    if settings.faces_per_image == "largest":
        return {"status": "rejected", "reason": "not the largest face in its image"}
    if settings.identity == "cluster":
        return {"expression": None}
    # Nobody labelled it, and it must not count as the photo's subject.
    return {"identity": face_id, "expression": None, "split": _split(face_id)}


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
        "pose": list(pose_degrees(face.landmarks_xy, face.scheme) if face.pose is None else face.pose),
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


def _networks(settings: DetectSettings) -> bool:
    return computes_on_device(settings.faces)


DETECT = Stage("detect and align", "photos", "faces", __name__, _decides, _make, "the detector", networks=_networks)
"""A shard of `images`, by its fingerprint, becomes one of `faces`."""
