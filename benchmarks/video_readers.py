"""Frames of videos by OpenCV and by PyAV: processor time a frame, and whether both give the same pictures.

python -m benchmarks.video_readers VIDEO [VIDEO …] [--frames 100]

PyAV is no dependency of the project: `pip install av` for this alone. Both decode in one thread and give RGB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice

import cv2
import numpy as np

from mien.model.errors import ImageError
from mien.model.images.video import FrameReader


def by_opencv(path: str) -> Iterator[np.ndarray]:
    """As the pipeline reads them."""
    reader, index = FrameReader(path), 0
    try:
        while True:
            yield reader.frame(index)
            index += 1
    except ImageError:
        return
    finally:
        reader.close()


def by_pyav(path: str) -> Iterator[np.ndarray]:
    """In one thread, without turning them."""
    with import_module("av").open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24")


def timed(read: Callable[[str], Iterator[np.ndarray]], path: str, most: int) -> tuple[float, np.ndarray]:
    """CPU milliseconds a frame, and the last frame."""
    start, count, last = time.process_time(), 0, np.zeros((1, 1, 3), np.uint8)
    for frame in islice(read(path), most):
        last, count = frame, count + 1
    return 1000 * (time.process_time() - start) / max(count, 1), last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--frames", type=int, default=100)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    print("| video | size | OpenCV, CPU ms a frame | PyAV | mean difference |\n|---|---|---|---|---|")
    for path in asked.videos:
        timed(by_opencv, path, 2)
        (first, one), (second, other) = (timed(read, path, asked.frames) for read in (by_opencv, by_pyav))
        apart = np.abs(one.astype(int) - other).mean() if one.shape == other.shape else float("nan")
        size = f"{one.shape[1]}×{one.shape[0]}"
        print(f"| {path.rpartition('/')[2]} | {size} | {first:.2f} | {second:.2f} | {apart:.2f} |", flush=True)


if __name__ == "__main__":
    main()
