"""Videos become items, one for each frame that is worth a row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from mien.model.detection.load import computes_on_device, detector_version, load_detector
from mien.model.errors import ImageError
from mien.model.images.video import FrameReader, FrameSettings
from mien.model.landmarks.keyframes import ChangeLimits, DistinctFaces
from mien.model.landmarks.schemes import to_common
from mien.storage import Note, Root, SourceItem, fingerprint, local_copy, source_digest
from mien.storage.artefacts import FRAMES, json_artefact, keep, load
from mien.tasks.errors import failure_kind
from mien.tasks.prepare.looking import faces_in_each, in_batches
from mien.tasks.runtime.attempts import LostItemError
from mien.tasks.runtime.limits import limits_in_force
from mien.tasks.runtime.one_bad_item import tried_twice
from mien.tasks.runtime.reports import still_working, waiting
from mien.tasks.runtime.second_look import Row, ask_each, outcome_of
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
    looked_at: int = 0
    """Frames in which a face was looked for."""
    cut_off_at: int | None = None
    """The first frame that was not looked at any more, since enough of them were."""


@dataclass(frozen=True)
class VideoFrames:
    """A video as items."""

    items: list[SourceItem]
    """One for each chosen frame; one for all of a video that cannot be read."""
    looked_at: int = 0
    cut_off_at: int | None = None


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
    chosen = load(root, _CHOSEN, name) or load(root, _CHOSEN, slow_name(name, limits_in_force().item_seconds))
    if chosen is None:
        tried = tried_twice(
            "item",
            "the decoder or the detector",
            lambda: in_worker_by_steps(
                "item", computes_on_device(settings.faces), _choose, root, name, video, settings
            ),
        )
        return _lost(root, name, video, tried) if isinstance(tried, LostItemError) else tried
    tick()
    return _frames(video, chosen)


def _lost(root: Root, name: str, video: SourceItem, error: LostItemError) -> VideoFrames:
    """What is decided on a video that has ended worker processes."""
    tick()
    if error.kind == "source":
        return VideoFrames([replace(video, **error.outcome())])
    chosen = ChosenFrames(video.uri, [], str(error))
    keep(root, _CHOSEN, name if error.limit_s is None else slow_name(name, error.limit_s), chosen)
    return _frames(video, chosen)


def _frames(video: SourceItem, chosen: ChosenFrames) -> VideoFrames:
    items = [replace(video, frame=index) for index in chosen.frames]
    if chosen.reason:
        items = [replace(video, status="failed", reason=chosen.reason, failure="content")]
    return VideoFrames(items, chosen.looked_at, chosen.cut_off_at)


def _name(video: SourceItem, settings: VideoSettings) -> str:
    detector = detector_version(settings.faces)
    what = {"code": CODE, "detector": detector, "settings": asdict(settings)}
    return fingerprint({**what, "uri": video.uri, "version": video.version})


def _choose(root: Root, name: str, video: SourceItem, settings: VideoSettings) -> VideoFrames:
    """What the bytes of the video decide is stored, and nothing else: a codec or a network may be there tomorrow."""

    def ask(item: SourceItem) -> list[Row]:
        with ExitStack() as copies:
            with waiting():
                file = copies.enter_context(local_copy(item.uri))
            return [{"chosen": _distinct_frames(item.uri, file, settings)}]

    def failed(item: SourceItem, error: Exception) -> Row:
        stays = isinstance(error, ImageError) and failure_kind(error) == "content"
        return {"chosen": ChosenFrames(item.uri, [], str(error))} if stays else outcome_of(error)

    load_detector(settings.faces)  # before the time of the first frame counts
    ((found,),) = ask_each([video], ask, failed, "the videos")
    if "chosen" not in found:
        return VideoFrames([replace(video, **found)])
    chosen: ChosenFrames = found["chosen"]
    keep(root, _CHOSEN, name, chosen)
    return _frames(video, chosen)


def _pixels(sampled: tuple[int, np.ndarray]) -> int:
    return sampled[1].shape[0] * sampled[1].shape[1]


def _distinct_frames(uri: str, file: str, settings: VideoSettings) -> ChosenFrames:
    detector, distinct = load_detector(settings.faces), DistinctFaces(settings.changes)
    reader = FrameReader(file, still_working)
    try:
        chosen, looked_at = list[int](), 0
        for some in in_batches(reader.sampled(settings.frames), _pixels):
            looked_at += len(some)
            for (index, _), faces in zip(some, faces_in_each(detector, [frame for _, frame in some]), strict=True):
                if isinstance(faces, ImageError):
                    raise faces
                landmarks = to_common(faces[0].landmarks_xy, faces[0].scheme) if faces else None
                if distinct.is_new(landmarks):
                    chosen.append(index)
        reason = None if chosen else "a video without a frame that can be read"
        return ChosenFrames(uri, chosen, reason, looked_at, reader.cut_off_at)
    finally:
        reader.close()
