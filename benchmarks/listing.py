"""A run over a set with nothing new: how long listing and finding everything done take, and that no image is read.

python -m benchmarks.listing [--files 100000] [--folder DIR]

The folder (a temporary one by default) gets so many tiny pictures in folders of 100; the first index reads them, the
second must not: every read of a source fails there. Printed are seconds by the clock and of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import numpy as np

from mien.model.images.codec import encode_png
from mien.storage import Root, ShardRef, list_images, write_set
from mien.tasks.prepare.index import INDEX, Photos, plan_index
from mien.tasks.runtime.stage import make_shard

R = TypeVar("R")

SHARD_IMAGES = 64
NAME = "tiny"


def timed(what: str, work: Callable[[], R]) -> R:
    """The result; prints how long it took."""
    start, start_cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(f"| {what:<34} | {wall:8.2f} s | {cpu:8.2f} s |", flush=True)
    return result


def make_files(folder: Path, count: int) -> None:
    """Tiny pictures, each of its own pixels, in folders of 100."""
    for number in range(count):
        path = folder / f"p{number // 100:05d}" / f"{number:07d}.png"
        if number % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.frombuffer(number.to_bytes(12, "big"), np.uint8).reshape(2, 2, 3)
        path.write_bytes(encode_png(pixels))


def no_reading(*_: object) -> bytes:
    raise AssertionError("a run with nothing new reads no image")


def found(root: Root, plan: list[Photos]) -> list[ShardRef]:
    """The shards of a plan; every one must exist."""
    refs = [INDEX.find(root, INDEX.name(root, photos, None), photos) for photos in plan]
    return [ref for ref in refs if ref is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        photos, root = Path(scratch) / "photos", Root(f"{scratch}/root")
        timed(f"make {asked.files:,} files", lambda: make_files(photos, asked.files))
        listed = timed("list", lambda: list_images([str(photos)]))
        plan = plan_index(root, NAME, listed, SHARD_IMAGES)
        refs = timed(
            "first index (reads each)", lambda: [make_shard(INDEX, root, photos, IndexSettings()) for photos in plan]
        )
        write_set(root, NAME, {"images": INDEX.commit(root, refs, {}).fingerprint})

        with patch("mien.storage.sources.reader.open_source", no_reading):
            start, start_cpu = time.perf_counter(), time.process_time()
            again = timed("again: list", lambda: list_images([str(photos)]))
            plan = timed("again: plan by the former index", lambda: plan_index(root, NAME, again, SHARD_IMAGES))
            same = timed("again: find the shards", lambda: found(root, plan))
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            print(f"| {'again, in all':<34} | {wall:8.2f} s | {cpu:8.2f} s |")
        assert {ref.fingerprint for ref in same} == {ref.fingerprint for ref in refs}
        print(f"{len(same):,} shards of {len(again):,} files found, none read")


if __name__ == "__main__":
    main()
