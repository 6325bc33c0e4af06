"""Start-up and memory of a training by the number of faces: `python -m benchmarks.streaming --faces 10000 100000`.

    index      until it is known where each usable face lies, and who is held out, s
    shapes     to read the landmarks of a sample and fit the shape model to it, s
    first      all until the first batch is drawn, s
    read       of each face that comes into memory during `--moves` moves of the window, ms
    before, indexed, most
               memory of the process: before it begins, with the index, and at most, MiB
    resident   faces that there is room for

Faces are made up, a few pictures again and again, in a root on the disk that is deleted afterwards. Each number of
faces is measured in a process of its own. Nothing is trained; what is read and drawn is what a training reads and
draws. Times are the processor's, of all threads, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import psutil

from benchmarks.made_up_root import MadeUpSet
from mien.model.images.codec import encode_png
from mien.model.training.batches import PairSampler
from mien.model.training.face_stream import FaceStream
from mien.model.training.settings import TrainSettings
from mien.model.training.windows import SHOWN
from mien.storage import Root
from mien.tasks.sets.faces import FaceTables
from mien.tasks.train.face_index import read_index
from mien.tasks.train.faces import held_out_faces, in_memory, reader_of, training_faces

PICTURES = 16
PHOTOS = 10
COLUMNS = ("faces", "index", "shapes", "first", "read", "before", "indexed", "most", "resident")


def write(root: Root, faces: int, side_px: int) -> FaceTables:
    """A set of so many faces."""
    random = np.random.default_rng(0)
    shade = random.integers(40, 200, (PICTURES, 1, 1, 3)) + np.linspace(0, 40, side_px, dtype=int)[:, None]
    noisy = shade + random.integers(0, 8, (PICTURES, side_px, side_px, 3))
    pictures = [encode_png(each) for each in noisy.astype(np.uint8)]
    return MadeUpSet(faces // PHOTOS, PHOTOS, side_px).write(root, "made-up", lambda n: pictures[n % PICTURES])


def mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def measured(root: Root, tables: FaceTables, settings: TrainSettings, moves: int) -> dict[str, float]:
    """What a training does before its first update, and while the window moves so often."""
    before, started_s = mib(), time.process_time()
    everything = read_index(root, [tables])
    learnt, unseen = everything.of_split("train"), held_out_faces(root, everything, "val")
    count = len(everything)
    del everything
    index_s, indexed = time.process_time() - started_s, mib()
    faces = training_faces(root, [tables], learnt, settings)
    shapes_s = time.process_time() - started_s - index_s
    held_out = in_memory(unseen, reader_of(root, [tables], unseen, faces.side_px))
    sampler = PairSampler.of(settings, faces, 1)
    sampler.begin("train", 0, 0)
    sampler.draw(settings.batch_size, "cpu")
    first_s = time.process_time() - started_s
    resident, worked_s, read = len(sampler.faces), time.process_time(), 0
    if isinstance(faces, FaceStream):
        each = _updates_between_moves(sampler)
        for move in range(1, moves + 1):
            sampler.begin("train", move * each, 0)
            sampler.draw(settings.batch_size, "cpu")
            read += len(sampler.faces) // (SHOWN + 1)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert len(held_out) <= 400
    return {
        "faces": count,
        "index": index_s,
        "shapes": shapes_s,
        "first": first_s,
        "read": 1e3 * (time.process_time() - worked_s) / max(1, read),
        "before": before,
        "indexed": indexed,
        "most": most,
        "resident": resident,
    }


def _updates_between_moves(sampler: PairSampler) -> int:
    """The first update at which another window is shown."""
    windows = sampler._windows  # pyright: ignore[reportPrivateUsage]
    assert windows is not None
    (belt,) = windows._own[0]._belts  # pyright: ignore[reportPrivateUsage]
    assert belt.updates is not None
    return belt.updates


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--size", type=int, default=128, help="side of the crops")
    parser.add_argument("--resident", type=int, default=5_000, help="train.resident_faces")
    parser.add_argument("--moves", type=int, default=24, help="of the window")
    parser.add_argument("--folder", help="where the roots are written; the system's for temporary files if not given")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    settings = TrainSettings(resident_faces=asked.resident)
    if asked.measure:
        given: dict[str, Any] = json.loads(asked.measure)
        print(json.dumps(measured(Root(given["root"]), FaceTables(**given["tables"]), settings, asked.moves)))
        return
    print(" ".join(f"{name:>9}" for name in COLUMNS))
    for faces in asked.faces:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            tables = write(Root(folder), faces, asked.size)
            given = {"root": folder, "tables": asdict(tables)}
            command = [*(word for word in sys.argv[1:] if word != "--measure"), "--measure", json.dumps(given)]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.streaming", *command], capture_output=True, text=True, check=True
            )
        row = json.loads(done.stdout)
        print(" ".join(f"{row[name]:>9,.{0 if row[name] >= 100 else 1}f}" for name in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
