"""Frames of videos, by OpenCV's FFmpeg: which ones are looked at, and how one is found again by its index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import UInt8

from mien.model.errors import ImageError
from mien.model.images.codec import MOST_PIXELS

Frame = UInt8[np.ndarray, "height width 3"]

_MOST_FPS: Final = 240.0
_USUAL_FPS: Final = 25.0
"""Where a file tells none, or nonsense."""
_PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD")
"""What FFmpeg would follow to other files and hosts, whatever the file's name."""
_LONGEST_MARK: Final = 64


@dataclass(frozen=True)
class FrameSettings:
    """Which frames of a video are used."""

    fps: float = 2.0
    """Frames looked at for each second of the video; at most all of them."""
    every: int | None = None
    """Look at every Nth frame instead."""


class FrameReader:
    """Frames of one video. Going forward each is decoded once; going back starts again from the beginning.

    Indices are counted by decoding, since seeking by index is inexact in many files. OpenCV is given a path:
    reading from a Python stream, as version 5.0 offers, ends the process when the video is released.

    Raises:
        ImageError: it is no video that can be read, or one of too many pixels.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._video: Any = None
        self._open()
        fps = float(self._video.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps <= _MOST_FPS else _USUAL_FPS

    def _open(self) -> None:
        with Path(self._path).open("rb") as file:
            if file.read(_LONGEST_MARK).lstrip().startswith(_PLAYLISTS):
                raise ImageError("a playlist, not a video: it names files elsewhere")
        # One thread: the cores are shared out among processes.
        self._video = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not self._video.isOpened():
            raise ImageError("not a video that can be read")
        width, height = (int(self._video.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MOST_PIXELS:
            raise ImageError(f"{width}×{height} pixels are more than {MOST_PIXELS}: shrink it first")
        self._next = 0

    def frame(self, index: int) -> Frame:
        """The frame of this index as RGB, turned as the file says.

        Raises:
            ImageError: there is none.
        """
        if index < self._next:
            self._open()
        while self._next <= index:
            if not self._video.grab():
                raise ImageError(f"the video ends before frame {index}")
            self._next += 1
        done, bgr = self._video.retrieve()
        if not done:
            raise ImageError(f"frame {index} is damaged")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)

    def sampled(self, settings: FrameSettings) -> Iterator[tuple[int, Frame]]:
        """Index and pixels of the frames to look at, in order."""
        step = float(settings.every) if settings.every else max(self.fps / settings.fps, 1.0)
        number = 0
        while True:
            index = round(number * step)
            try:
                yield index, self.frame(index)
            except ImageError:
                if self._next <= index:  # the end
                    return
            number += 1

    def close(self) -> None:
        """Closes the video."""
        self._video.release()
