"""Frames of people's clips as photos: a folder per person, as `mien prepare` takes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien.storage.sources.item import IMAGE_SUFFIXES, VIDEO_SUFFIXES

MAX_PER_PERSON = 40


def take_frames(clips: Path, out: Path, max_per_person: int = MAX_PER_PERSON) -> Path:
    """Writes at most so many frames of each person's clips to `out`/person; returns `out`.

    `clips` has a folder per person, with videos or folders of frames somewhere below it; each clip gives the same
    share, evenly over its length. A person who is there already is left alone, and is there only when complete.
    """
    for person in sorted(folder for folder in clips.iterdir() if folder.is_dir()):
        done, part = out / person.name, out / f".{person.name}.part"
        if done.exists():
            continue
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, frame in _frames_of(person, max_per_person):
            cv2.imwrite(str(part / f"{name}.png"), frame)
        part.rename(done)
    return out


def _frames_of(person: Path, most: int) -> Iterator[tuple[str, np.ndarray]]:
    videos = sorted(path for path in person.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    photos = [path for path in person.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
    folders = sorted({path.parent for path in photos})
    share = max(1, most // max(1, len(videos) + len(folders)))
    for video in videos:
        yield from ((f"{video.stem}-{n:05d}", frame) for n, frame in _of_video(video, share))
    for folder in folders:
        its = sorted(path for path in photos if path.parent == folder)
        read = ((its[n], cv2.imread(str(its[n]))) for n in _evenly(len(its), share))
        yield from ((f"{folder.name}-{path.stem}", frame) for path, frame in read if frame is not None)


def _of_video(video: Path, most: int) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers and pictures; every frame up to the last wanted one is decoded, since seeking is not exact everywhere."""
    capture = cv2.VideoCapture(str(video))
    wanted = set(_evenly(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), most))
    for n in range(max(wanted, default=-1) + 1):
        if not capture.grab():
            break
        if n in wanted:
            decoded, frame = capture.retrieve()
            if decoded:
                yield n, frame
    capture.release()


def _evenly(total: int, most: int) -> list[int]:
    """At most `most` of the numbers below `total`, in the middles of as many equal stretches."""
    count = min(total, most)
    return [(2 * n + 1) * total // (2 * count) for n in range(count)]
