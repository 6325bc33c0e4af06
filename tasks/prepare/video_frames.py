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
from mien.storage import Note, Root, SourceItem, StorageError, fingerprint, local_copy, source_digest
from mien.storage.artefacts import FRAMES, json_artefact, keep, load
from mien.tasks.runtime.workers import in_worker, tick

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
    looked_at: int = 0
    """Frames in which a face was looked for."""
    cut_off_at: int | None = None
    """The first frame that was not looked at any more, since enough of them were."""


@dataclass(frozen=True)
class VideoFrames:
    """A video as items."""

    items: list[SourceItem]
    """One for each chosen frame; one for all of a video that cannot be read."""
    looked_at: int
    cut_off_at: int | None


_CHOSEN = json_artefact(FRAMES, ChosenFrames)


def with_frames(items: Sequence[SourceItem], chosen: Sequence[VideoFrames]) -> list[SourceItem]:
    """The items, each video replaced by its frames; `chosen` has them for each video, in order."""
    frames = iter(chosen)
    return [each for item in items for each in (next(frames).items if item.is_video else (item,))]


def frame_notes(chosen: Sequence[VideoFrames]) -> list[Note]:
    """How many frames of the videos were left out, and why; nothing where there are no frames."""
    read = [video for video in chosen if video.looked_at]
    notes: list[Note] = []
    if read:
        looked_at, used = sum(video.looked_at for video in read), sum(len(video.items) for video in read)
        text = (
            f"{looked_at} frames of {len(read)} videos looked at, {used} used, {looked_at - used} left out as nothing "
            "new (the settings frame_changes say what is new; --fps and --every which are looked at)"
        )
        notes.append(Note("left out", text))
    if cut := [video for video in read if video.cut_off_at is not None]:
        first = cut[0]
        text = (
            f"{len(cut)} videos were looked at only up to frame {first.cut_off_at} ({first.items[0].uri}): "
            "the setting frames.max_frames allows more"
        )
        notes.append(Note("left out", text))
    return notes


def video_frames(root: Root, video: SourceItem, settings: VideoSettings) -> VideoFrames:
    """The chosen frames of a video: found where the choice is stored, else chosen and stored.

    A video that cannot be read stays one item, which says why.
    """
    name = _name(video, settings)
    chosen = load(root, _CHOSEN, name)
    if chosen is None:
        chosen = in_worker(_choose, root, name, video.uri, settings)
    else:
        tick()
    items = [replace(video, frame=index) for index in chosen.frames]
    if chosen.reason:
        items = [replace(video, status="failed", reason=chosen.reason)]
    return VideoFrames(items, chosen.looked_at, chosen.cut_off_at)


def _name(video: SourceItem, settings: VideoSettings) -> str:
    detector = detector_version(settings.faces)
    what = {"code": CODE, "detector": detector, "settings": asdict(settings)}
    return fingerprint({**what, "uri": video.uri, "version": video.version})


def _choose(root: Root, name: str, uri: str, settings: VideoSettings) -> ChosenFrames:
    try:
        with local_copy(uri) as file:
            chosen = _distinct_frames(uri, file, settings)
    except ImageError as error:
        chosen = ChosenFrames(uri, [], str(error))
        if error.kind == "source":
            return chosen  # not stored: this machine may have the decoder by the next run
    except StorageError as error:
        # Not stored: a network or a permission may be better by now.
        return ChosenFrames(uri, [], str(error))
    finally:
        tick()
    keep(root, _CHOSEN, name, chosen)
    return chosen


def _distinct_frames(uri: str, file: str, settings: VideoSettings) -> ChosenFrames:
    detector, distinct = load_detector(settings.faces), DistinctFaces(settings.changes)
    reader = FrameReader(file)
    try:
        chosen, looked_at = list[int](), 0
        for index, pixels in reader.sampled(settings.frames):
            looked_at += 1
            faces = find_faces(detector, pixels)
            landmarks = to_common(faces[0].landmarks_xy, faces[0].scheme) if faces else None
            if distinct.is_new(landmarks):
                chosen.append(index)
        reason = None if chosen else "a video without a frame that can be read"
        return ChosenFrames(uri, chosen, reason, looked_at, reader.cut_off_at)
    finally:
        reader.close()
