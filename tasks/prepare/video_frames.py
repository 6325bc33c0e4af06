"""Videos become items, one for each frame that is worth a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from mien.model.detection.detector import find_faces
from mien.model.detection.load import detector_version, load_detector
from mien.model.errors import ImageError
from mien.model.images.video import FrameReader, FrameSettings
from mien.model.landmarks.keyframes import ChangeLimits, DistinctFaces
from mien.model.landmarks.schemes import to_common
from mien.storage import Root, SourceItem, StorageError, fingerprint, local_copy, source_digest
from mien.storage.artefacts import FRAMES, json_artefact, keep, load
from mien.tasks.runtime.attempts import LostItemError, begin, done
from mien.tasks.runtime.limits import limits_in_force
from mien.tasks.runtime.one_bad_item import tried_twice
from mien.tasks.runtime.reports import still_working
from mien.tasks.runtime.stage import slow_name
from mien.tasks.runtime.workers import in_worker_by_steps, tick

CODE = source_digest(__name__)


@dataclass(frozen=True)
class VideoSettings:
    """What decides which frames of a video are used."""

    faces: str = "dlib"
    """The detector whose landmarks tell near-identical frames."""
    frames: FrameSettings = field(default_factory=FrameSettings)
    changes: ChangeLimits = field(default_factory=ChangeLimits)


@dataclass(frozen=True)
class ChosenFrames:
    """What was decided on a video."""

    uri: str
    frames: list[int]
    reason: str | None
    """Why it has none."""


_CHOSEN = json_artefact(FRAMES, ChosenFrames)


def with_frames(items: Sequence[SourceItem], chosen: Sequence[Sequence[SourceItem]]) -> list[SourceItem]:
    """The items, each video replaced by its frames; `chosen` has them for each video, in order."""
    frames = iter(chosen)
    return [each for item in items for each in (next(frames) if item.is_video else (item,))]


def video_frames(root: Root, video: SourceItem, settings: VideoSettings) -> list[SourceItem]:
    """The chosen frames of a video: found where the choice is stored, else chosen and stored.

    A video that cannot be read stays one item, which says why.
    """
    name = _name(video, settings)
    chosen = load(root, _CHOSEN, name) or load(root, _CHOSEN, slow_name(name, limits_in_force().item_seconds))
    if chosen is None:
        tried = tried_twice(
            "item",
            "the decoder or the detector",
            lambda: in_worker_by_steps("item", _choose, root, name, video.uri, settings),
        )
        chosen = _lost(root, name, video.uri, tried) if isinstance(tried, LostItemError) else tried
    else:
        tick()
    if chosen.reason:
        return [replace(video, status="failed", reason=chosen.reason)]
    return [replace(video, frame=index) for index in chosen.frames]


def _name(video: SourceItem, settings: VideoSettings) -> str:
    detector = detector_version(settings.faces)
    what = {"code": CODE, "detector": detector, "settings": asdict(settings)}
    return fingerprint({**what, "uri": video.uri, "version": video.version})


def _lost(root: Root, name: str, uri: str, error: LostItemError) -> ChosenFrames:
    """What is decided on a video that has ended worker processes."""
    tick()
    chosen = ChosenFrames(uri, [], str(error))
    if error.kind == "content":
        keep(root, _CHOSEN, name if error.limit_s is None else slow_name(name, error.limit_s), chosen)
    return chosen


def _choose(root: Root, name: str, uri: str, settings: VideoSettings) -> ChosenFrames:
    try:
        with local_copy(uri) as file:
            frames = _distinct_frames(file, settings)
            done()
        chosen = ChosenFrames(uri, frames, None if frames else "a video without a frame that can be read")
    except ImageError as error:
        chosen = ChosenFrames(uri, [], str(error))
    except StorageError as error:
        # Not stored: a network or a permission may be better by now.
        return ChosenFrames(uri, [], str(error))
    finally:
        tick()
    keep(root, _CHOSEN, name, chosen)
    return chosen


def _distinct_frames(file: str, settings: VideoSettings) -> list[int]:
    detector, distinct = load_detector(settings.faces), DistinctFaces(settings.changes)
    begin(0)
    reader = FrameReader(file, still_working)
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
