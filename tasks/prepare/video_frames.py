"""Videos become items, one for each frame that is worth a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mien.model.detection.detector import find_faces
from mien.model.detection.load import detector_version, load_detector
from mien.model.errors import ImageError
from mien.model.images.video import FrameReader, FrameSettings
from mien.model.landmarks.keyframes import ChangeLimits, DistinctFaces
from mien.model.landmarks.schemes import to_common
from mien.storage import Root, SourceItem, StorageError, fingerprint, local_copy, source_digest
from mien.storage.errors import MissingError
from mien.tasks.runtime.workers import in_worker, tick

CODE = source_digest(__name__)


@dataclass(frozen=True)
class VideoSettings:
    """What decides which frames of a video are used."""

    faces: str = "dlib"
    """The detector whose landmarks tell near-identical frames."""
    frames: FrameSettings = field(default_factory=FrameSettings)
    changes: ChangeLimits = field(default_factory=ChangeLimits)


def with_frames(items: Sequence[SourceItem], chosen: Sequence[Sequence[SourceItem]]) -> list[SourceItem]:
    """The items, each video replaced by its frames; `chosen` has them for each video, in order."""
    frames = iter(chosen)
    return [each for item in items for each in (next(frames) if item.is_video else (item,))]


def video_frames(root: Root, video: SourceItem, settings: VideoSettings) -> list[SourceItem]:
    """The chosen frames of a video: found where the choice is stored, else chosen and stored.

    A video that cannot be read stays one item, which says why.
    """
    path = _path(video, settings)
    try:
        stored: dict[str, Any] = json.loads(root.read_bytes(path))
        tick()
    except MissingError:
        stored = in_worker(_choose, root, path, video.uri, settings)
    if stored["reason"]:
        return [replace(video, status="failed", reason=stored["reason"])]
    return [replace(video, frame=index) for index in stored["frames"]]


def _path(video: SourceItem, settings: VideoSettings) -> str:
    detector = detector_version(settings.faces)
    what = {"code": CODE, "detector": detector, "settings": asdict(settings)}
    return f"frames/{fingerprint({**what, 'uri': video.uri, 'version': video.version})}.json"


def _choose(root: Root, path: str, uri: str, settings: VideoSettings) -> dict[str, Any]:
    found: dict[str, Any] = {"uri": uri, "frames": [], "reason": None}
    try:
        with local_copy(uri) as file:
            found["frames"] = _distinct_frames(file, settings)
            if not found["frames"]:
                raise ImageError("a video without a frame that can be read")
    except ImageError as error:
        found["reason"] = str(error)
    except StorageError as error:
        # Not stored: a network or a permission may be better by now.
        return found | {"reason": str(error)}
    finally:
        tick()
    root.write_bytes(path, json.dumps(found).encode())
    return found


def _distinct_frames(file: str, settings: VideoSettings) -> list[int]:
    detector, distinct = load_detector(settings.faces), DistinctFaces(settings.changes)
    reader = FrameReader(file)
    try:
        chosen = list[int]()
        for index, pixels in reader.sampled(settings.frames):
            faces = find_faces(detector, pixels)
            landmarks = to_common(faces[0].landmarks_xy, faces[0].scheme) if faces else None
            if distinct.is_new(landmarks):
                chosen.append(index)
        return chosen
    finally:
        reader.close()
