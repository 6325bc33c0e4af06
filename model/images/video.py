"""Frames of videos, by OpenCV's FFmpeg: which ones are looked at, and how one is found again by its index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import UInt8

from mien.model.configuration.bounds import Count, Positive, check_bounds
from mien.model.errors import DecoderError, ImageError, first_line, out_of_memory
from mien.model.images.limits import too_large
from mien.model.images.video_container import UPRIGHT, Turn, check_container, display_turn, is_cut_off, turned

Frame = UInt8[np.ndarray, "height width 3"]

_MIN_FPS: Final = 1.0
_MAX_FPS: Final = 240.0
_USUAL_FPS: Final = 25.0
"""Where a file tells none, or nonsense: damaged headers say 0.5, and every frame would be looked at."""
_WITHOUT_DECODER: Final = {"av01": "AV1", "vvc1": "VVC", "vvi1": "VVC"}
"""Codecs that OpenCV's FFmpeg opens and cannot decode, by their fourcc in small letters."""


@dataclass(frozen=True)
class FrameSettings:
    """Which frames of a video are used."""

    fps: Positive = 2.0
    """Frames looked at for each second of the video; at most all of them."""
    every: Count | None = None
    """Look at every Nth frame instead."""
    max_frames: Count = 10_000
    """Frames looked at of one video: at two for each second, those of 83 minutes."""

    def __post_init__(self) -> None:
        check_bounds(self)


class FrameReader:
    """Frames of one video. Going forward each is decoded once; going back starts again from the beginning.

    Indices are counted by decoding, since seeking by index is inexact in many files. OpenCV is given a path:
    reading from a Python stream, as version 5.0 offers, ends the process when the video is released.

    Raises:
        DecoderError: this machine has no decoder for it.
        ImageError: it is no video that can be read, or one of too many pixels.
    """

    cut_off_at: int | None = None
    """The first frame that `sampled` did not look at any more, where it has looked at enough of them."""

    def __init__(self, path: str, on_frame: Callable[[], None] | None = None) -> None:
        """`on_frame` is called for each frame that is decoded."""
        self._path, self._on_frame = path, on_frame
        self._video: Any = None
        with Path(path).open("rb") as file:
            check_container(file)
            self._turn: Turn | None = display_turn(file)
        self._open()
        fps = float(self._video.get(cv2.CAP_PROP_FPS))
        self.fps = fps if _MIN_FPS <= fps <= _MAX_FPS else _USUAL_FPS

    def _open(self) -> None:
        _be_quiet()
        # One thread: the cores are shared out among processes.
        self._video = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not self._video.isOpened():
            raise self._unopened()
        width, height = (int(self._video.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if reason := too_large(width, height):
            raise ImageError(reason)
        if self._turn is not None:  # OpenCV turns by itself, but does not mirror
            self._video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self._next = 0

    def _unopened(self) -> ImageError:
        """Why FFmpeg does not open what looks like a video. Only what is cut off surely stays so."""
        if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
            return DecoderError("this OpenCV reads no videos: install opencv-python, and unset OPENCV_VIDEOIO_*")
        with Path(self._path).open("rb") as file:
            if is_cut_off(file):
                return ImageError("not a video that can be read: it is cut off")
        return DecoderError(
            "not a video that this OpenCV can read: it is damaged, or its codec is missing; convert it with "
            "ffmpeg -i IN -c:v libx264 OUT.mp4"
        )

    def frame(self, index: int) -> Frame:
        """The frame of this index as RGB, turned and mirrored as the file says.

        Raises:
            DecoderError: this machine has no decoder for it.
            ImageError: there is none.
        """
        try:
            return self._decoded(index)
        except (cv2.error, MemoryError) as error:
            if out_of_memory(error):
                raise DecoderError(f"there is not enough memory for frame {index}: take fewer --workers") from error
            raise ImageError(f"frame {index} is damaged ({first_line(error)})") from error

    def _decoded(self, index: int) -> Frame:
        if index < self._next:
            self._open()
        while self._next <= index:
            if not self._video.grab():
                raise self._end(index)
            self._next += 1
            if self._on_frame is not None:
                self._on_frame()
        done, bgr = self._video.retrieve()
        if not done:
            raise ImageError(f"frame {index} is damaged")
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)
        return np.ascontiguousarray(turned(rgb, self._turn or UPRIGHT))

    def _end(self, index: int) -> ImageError:
        codec = int(self._video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=False).decode("latin-1")
        name = _WITHOUT_DECODER.get(codec.strip().lower())
        if self._next == 0 and name is not None:
            return DecoderError(
                f"{name} video, which this OpenCV cannot decode: convert it with ffmpeg -i IN -c:v libx264 OUT.mp4"
            )
        return ImageError(f"the video ends before frame {index}")

    def sampled(self, settings: FrameSettings) -> Iterator[tuple[int, Frame]]:
        """Index and pixels of the frames to look at, in order.

        Raises:
            DecoderError: this machine has no decoder for it.
        """
        step = float(settings.every) if settings.every else max(self.fps / settings.fps, 1.0)
        for number in range(settings.max_frames):
            index = round(number * step)
            try:
                yield index, self.frame(index)
            except DecoderError:
                raise
            except ImageError:
                if self._next <= index:  # the end
                    return
        self.cut_off_at = round(settings.max_frames * step)

    def close(self) -> None:
        """Closes the video."""
        self._video.release()


def _be_quiet() -> None:
    """What FFmpeg and OpenCV think of a damaged file is told by the reasons of its rows."""
    # Read when the first video is opened. FFmpeg's decoders may lead to files and hosts: only this file is read.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
