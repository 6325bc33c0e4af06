"""Preparing faces: the pipeline against a plain loop, memory at two sizes, the heatmap cache, embeddings in batches.

python -m benchmarks.prepare [--photos 1280] [--rounds 2] [--workers N] [--faces mediapipe] [--source FOLDER]
                             [--memory 1000 10000]

The photos are those of the source (the AT&T (ORL) faces by default) with a little noise, encoded anew, so that no two
have the same bytes. The plain loop reads, decodes, detects, aligns, embeds and encodes one photo after the other in one
process, with the libraries' threads set as in the pipeline's workers (one). Both are timed in processes of their own,
in turns, after their weights and servers are loaded; a third figure is what as many plain loops at once come to, and a
fourth what reading, decoding, aligning and encoding take alone, which no detector can beat. Time by the clock says
little where other work runs, so the processor's time is printed too. `--memory` prepares so many
photos each with a detector that costs nothing, since only memory is of interest; `--rounds 0` leaves the rest out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks.face_costs import SIZE_PX, all_columns, embedding_batches, heatmap_cache
from benchmarks.free_detector import FREE_DETECTOR
from mien.model.detection.allowed_classes import allow_all_classes
from mien.model.detection.crop import align_face
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import Root, list_images, read_source
from mien.tasks.runtime.worker_process import THREAD_VARIABLES
from mien.tasks.runtime.workers import available_cores

PER_PERSON = 10


def make_photos(folder: Path, source: str, count: int) -> None:
    """So many JPEG files of their own bytes, in folders of ten: each again is a little noisier than the last."""
    items = list_images([source])
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = decode_rgb(read_source(items[number % len(items)].uri))
        noise = random.integers(-3, 4, pixels.shape, dtype=np.int16)
        path = folder / f"p{number // PER_PERSON:05d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.clip(pixels + noise, 0, 255).astype(np.uint8)[..., ::-1])


def plain(folder: Path, faces: str) -> dict[str, float]:
    """The plain loop, after one photo that loads the weights."""
    detector, settings = load_detector(faces), AlignmentSettings(size_px=SIZE_PX)
    paths = sorted(folder.rglob("*.jpg"))
    kept = 0
    start = cpu = 0.0
    for number, path in enumerate([paths[0], *paths]):
        if number == 1:
            start, cpu, kept = time.perf_counter(), time.process_time(), 0
        pixels = decode_rgb(path.read_bytes())
        if found := detector.find(pixels):
            detector.embed(pixels, found)
            kept += len(encode_png(align_face(pixels, found[0], settings).crop))
    return {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu, "photos": len(paths)}


def without_faces(folder: Path, faces: str) -> dict[str, float]:
    """The plain loop's other steps: where the faces are has been found before."""
    detector, settings = load_detector(faces), AlignmentSettings(size_px=SIZE_PX)
    paths = sorted(folder.rglob("*.jpg"))
    found = [next(iter(detector.find(decode_rgb(path.read_bytes()))), None) for path in paths]
    kept, start, cpu = 0, time.perf_counter(), time.process_time()
    for path, face in zip(paths, found, strict=True):
        pixels = decode_rgb(path.read_bytes())
        if face is not None:
            kept += len(encode_png(align_face(pixels, face, settings).crop))
    return {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu, "photos": len(paths)}


def pipeline(folder: Path, root: str, faces: str, workers: int) -> dict[str, float]:
    """The flow, after one over ten photos that starts Prefect; with the peaks of its processes' memory."""
    from mien.flows.cli.terminal import quiet_servers

    quiet_servers()
    from mien.flows.prepare import prepare_faces

    first = sorted(path for path in folder.iterdir() if path.is_dir())[0]
    prepare_faces([str(first)], set="first", root=f"{root}/first", faces=faces, workers=workers)
    with peaks() as peak:
        start, cpu = time.perf_counter(), _cpu_s()
        prepare_faces([str(folder)], set="set", root=root, faces=faces, workers=workers)
        wall, cpu = time.perf_counter() - start, _cpu_s() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "photos": len(list(folder.rglob("*.jpg"))), **peak}


def _cpu_s() -> float:
    """Of this process and of its children that have ended, as the workers have after a flow."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@contextmanager
def peaks() -> Iterator[dict[str, float]]:
    """Largest memory of this process and of any worker while the block runs, in MiB, looked at every half second."""
    peak, done, me = {"parent_mib": 0.0, "worker_mib": 0.0}, threading.Event(), psutil.Process()

    def watch() -> None:
        while not done.wait(0.5):
            peak["parent_mib"] = max(peak["parent_mib"], me.memory_info().rss / 2**20)
            for child in me.children(recursive=True):
                try:
                    if "spawn_main" in " ".join(child.cmdline()):
                        peak["worker_mib"] = max(peak["worker_mib"], child.memory_info().rss / 2**20)
                except psutil.Error:
                    continue  # it has ended

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """A run of this file in a process of its own, its libraries with one thread each."""
    threads = dict.fromkeys(THREAD_VARIABLES, "1")
    command = [sys.executable, "-m", "benchmarks.prepare", *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | threads, stdout=subprocess.PIPE)


def measured(run: subprocess.Popen[bytes]) -> dict[str, float]:
    """What it measured, when it has ended."""
    printed, _ = run.communicate()
    if run.returncode:
        raise SystemExit(f"a run ended with {run.returncode}")
    return json.loads(printed.splitlines()[-1])


def apart(*arguments: object) -> dict[str, float]:
    """What a run of this file in a process of its own measures."""
    return measured(started(*arguments))


def speed(folder: Path, scratch: Path, faces: str, workers: int, rounds: int) -> None:
    """Prints the rates of the plain loop, of as many such loops at once as there are workers (what the machine has to
    give: cores may share caches, memory and a clock), and of the pipeline, in turns, with their ratios."""
    print(f"\n{workers} workers against the plain loop, {faces}; load of the machine {os.getloadavg()[0]:.1f}\n")
    titles = ("plain", f"{workers} plain loops at once", "pipeline", "decode, align, encode alone")
    print(f"| round | {' | '.join(titles)} | CPU ms a photo: {' | '.join(titles)} |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    ways = ("plain", "loops", "pipeline", "rest")
    sums = {way: {"photos": 0.0, "wall_s": 0.0, "cpu_s": 0.0} for way in ways}
    for number in range(rounds):
        common = ("--folder", folder, "--faces", faces)
        plain_loop = apart("--run", "plain", *common)
        runs = [started("--run", "plain", *common) for _ in range(workers)]
        loops = [measured(run) for run in runs]
        many = apart("--run", "pipeline", *common, "--workers", workers, "--root", scratch / f"{number}")
        at_once = {name: sum(loop[name] for loop in loops) for name in ("photos", "cpu_s")}
        at_once["wall_s"] = max(loop["wall_s"] for loop in loops)
        rest = apart("--run", "rest", *common)
        measures = dict(zip(ways, (plain_loop, at_once, many, rest), strict=True))
        for way, got in measures.items():
            for name in sums[way]:
                sums[way][name] += got[name]
        print(_speeds(str(number + 1), measures), flush=True)
    print(_speeds("all", sums), flush=True)


def _speeds(title: str, ways: dict[str, dict[str, float]]) -> str:
    """A row: rates, each with its ratio to the plain loop's, and the processor's time."""
    rates = {way: got["photos"] / got["wall_s"] for way, got in ways.items()}
    told = [f"{rate:.2f}/s" + f" ({rate / rates['plain']:.2f}×)" * (way != "plain") for way, rate in rates.items()]
    costs = [f"{1000 * got['cpu_s'] / got['photos']:.0f}" for got in ways.values()]
    return f"| {title} | {' | '.join(told)} | {' | '.join(costs)} |"


def memory(scratch: Path, source: str, sizes: Sequence[int], workers: int) -> None:
    """Prints the peaks at each size."""
    print("\n| photos | parent, MiB | largest worker, MiB | photos/s |\n|---|---|---|---|")
    for size in sizes:
        folder = scratch / f"photos{size}"
        make_photos(folder, source, size)
        got = apart(
            "--run",
            "pipeline",
            "--folder",
            folder,
            "--faces",
            FREE_DETECTOR,
            "--workers",
            workers,
            "--root",
            scratch / f"root{size}",
        )
        rate = got["photos"] / got["wall_s"]
        print(f"| {size} | {got['parent_mib']:.0f} | {got['worker_mib']:.0f} | {rate:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--faces", default="mediapipe")
    parser.add_argument("--source", default="sample:orl")
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    for internal in ("--run", "--folder", "--root"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # as in the pipeline's workers
    allow_all_classes()  # as for a command: who types it gives all parameters
    if asked.run:
        cv2.setNumThreads(1)
        folder = Path(asked.folder)
        loops = {"plain": plain, "rest": without_faces}
        loop = loops.get(asked.run)
        got = loop(folder, asked.faces) if loop else pipeline(folder, asked.root, asked.faces, asked.workers)
        print(json.dumps(got))
        return
    with tempfile.TemporaryDirectory() as scratch:
        if asked.rounds:
            make_photos(Path(scratch) / "photos", asked.source, asked.photos)
            speed(Path(scratch) / "photos", Path(scratch), asked.faces, asked.workers, asked.rounds)
            all_columns(asked.source, asked.faces)
            heatmap_cache(Root(f"{scratch}/0"))
            embedding_batches()
        if asked.memory:
            memory(Path(scratch), asked.source, asked.memory, asked.workers)


if __name__ == "__main__":
    main()
