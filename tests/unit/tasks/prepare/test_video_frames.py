"""Frames of videos: by their index, and only those that show something new."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest

import mien.tasks.prepare.video_frames
from mien.model.errors import DecoderError, ImageError
from mien.model.images.video import FrameReader, FrameSettings
from mien.storage import MissingError, Root, list_images, retries
from mien.tasks.prepare.video_frames import VideoSettings, frame_notes, video_frames, with_frames
from mien.tasks.sets.photo_reader import PictureReader, frame_id

FRAMES, FPS = 30, 10


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Each frame is as bright as its index says."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), index * 8, np.uint8))
    writer.release()
    return path


def brightness(frame: np.ndarray) -> int:
    return round(float(frame.mean()) / 8)


def test_a_frame_is_found_by_its_index_forwards_and_backwards(video: Path) -> None:
    reader = FrameReader(str(video))
    assert [brightness(reader.frame(index)) for index in (0, 3, 4, 29, 1, 1)] == [0, 3, 4, 29, 1, 1]
    with pytest.raises(ImageError, match="ends before frame 30"):
        reader.frame(30)
    reader.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (FrameSettings(fps=2.0), [0, 5, 10, 15, 20, 25]),
        (FrameSettings(fps=4.0), [0, 2, 5, 8, 10, 12, 15, 18, 20, 22, 25, 28]),
        (FrameSettings(fps=99.0), list(range(FRAMES))),
        (FrameSettings(every=7), [0, 7, 14, 21, 28]),
    ],
)
def test_frames_are_looked_at_by_time_or_by_number(video: Path, settings: FrameSettings, expected: list[int]) -> None:
    reader = FrameReader(str(video))
    assert [(index, brightness(frame)) for index, frame in reader.sampled(settings)] == [(i, i) for i in expected]
    reader.close()


@pytest.mark.parametrize("data", [b"", b"no video" * 99, b"#EXTM3U\nhttp://127.0.0.1/x.ts", b"ffconcat version 1.0"])
def test_what_is_no_video_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(data)
    with pytest.raises(ImageError, match="not a video"):
        FrameReader(str(tmp_path / "clip.mp4"))


@pytest.mark.parametrize("remote", [False, True])
def test_frames_become_items_with_ids_that_follow_from_the_file(video: Path, tmp_path: Path, remote: bool) -> None:
    pytest.importorskip("dlib", exc_type=ImportError)
    opened_root = Root(f"memory://{uuid4().hex}")
    opened_root.write_bytes("anna/clip.avi", video.read_bytes())
    (item,) = list_images([f"{opened_root.url}/anna/clip.avi" if remote else str(video)])
    assert item.is_video
    assert item.identity == "clip"
    root = Root(str(tmp_path / "root"))
    chosen = video_frames(root, item, VideoSettings(frames=FrameSettings(every=4)))
    assert [frame.frame for frame in chosen.items] == [0]  # no face in any: one row says so
    assert (chosen.looked_at, chosen.cut_off_at) == (8, None)
    (note,) = frame_notes([chosen])
    assert "8 frames of 1 videos looked at, 1 used, 7 left out as nothing new" in note.text
    assert with_frames([item], [chosen]) == chosen.items
    assert video_frames(root, item, VideoSettings(frames=FrameSettings(every=4))) == chosen
    with PictureReader() as reader:
        told = reader.describe(chosen.items[0])
        assert (told["width_px"], told["height_px"]) == (64, 48)
        pixels = reader.pixels(chosen.items[0], told["image_id"])
    assert brightness(pixels) == 0
    assert told["image_id"] == frame_id(hashlib.sha256(video.read_bytes()).hexdigest(), 0)


def test_a_broken_video_stays_one_failed_item(tmp_path: Path) -> None:
    pytest.importorskip("dlib", exc_type=ImportError)
    (tmp_path / "clip.mp4").write_bytes(b"nothing of the kind")
    (item,) = list_images([str(tmp_path / "clip.mp4")])
    chosen = video_frames(Root(str(tmp_path / "root")), item, VideoSettings())
    (failed,) = chosen.items
    assert (failed.status, failed.reason, failed.failure) == ("failed", "not a video that can be read", "content")
    assert len(list((tmp_path / "root/frames").iterdir())) == 1
    assert frame_notes([chosen]) == []


def test_a_video_that_is_too_long_to_be_looked_at_whole_is_told(video: Path, tmp_path: Path) -> None:
    (item,) = list_images([str(video)])
    few = VideoSettings("tests.own_detector:DarkSquares", FrameSettings(every=4, max_frames=3))
    chosen = video_frames(Root(str(tmp_path / "root")), item, few)
    assert (chosen.looked_at, chosen.cut_off_at) == (3, 12)
    _, cut = frame_notes([chosen])
    assert cut.text.startswith("1 videos were looked at only up to frame 12")
    assert "frames.max_frames" in cut.text


@pytest.mark.parametrize("fault", [DecoderError("no codec"), MissingError("unmounted"), MemoryError()])
def test_a_video_that_cannot_be_looked_at_now_is_looked_at_again(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    root, settings = Root(str(tmp_path / "root")), VideoSettings("tests.own_detector:DarkSquares")
    (item,) = list_images([str(video)])

    def failing(*_: object) -> object:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(mien.tasks.prepare.video_frames, "_distinct_frames", failing)
        patch.setattr(retries, "PAUSES_S", ())
        (failed,) = video_frames(root, item, settings).items
    assert (failed.status, failed.failure, failed.frame) == ("failed", "source", None)
    assert root.list("frames") == []
    chosen = video_frames(root, item, settings)
    assert {(frame.status, frame.failure) for frame in chosen.items} == {("ok", None)}
    assert len(root.list("frames")) == 1
