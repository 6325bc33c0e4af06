"""Preparing faces: the pipeline against a plain loop, memory at two sizes, the heatmap cache, embeddings in batches.

python -m benchmarks.prepare [--photos 1280] [--rounds 2] [--workers N] [--faces dlib] [--source FOLDER]
                             [--memory 1000 10000]

The photos are those of the source (the AT&T (ORL) faces by default) with a little noise, encoded anew, so that no two
have the same bytes. The plain loop reads, decodes, detects, aligns, embeds and encodes one photo after the other in one
process, with the libraries' threads set as in the pipeline's workers (one). Both are timed in processes of their own,
in turns, after their weights and servers are loaded; a third figure is what as many plain loops at once come to. Time
by the clock says little where other work runs, so the processor's time is printed too. `--memory` prepares so many
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
from typing import Any

import cv2
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from model.crops import align_face
from model.dlib_faces import DlibDetector
from model.faces import FoundFace, load_detector
from model.heatmaps import HeatmapSpec, render_heatmaps
from model.images import decode_rgb, encode_png
from model.landmarks import LandmarkScheme
from model.licences import WeightsLicence
from model.reference import AlignmentSettings, reference_landmarks
from storage import Root, SourceItem, list_images, open_table, read_manifest, read_set, read_shard, read_source
from tasks.detect import DetectSettings, _face_columns
from tasks.pool import THREAD_VARIABLES, available_cores

SIZE_PX = 256
PER_PERSON = 10
CHEAP = "benchmarks.prepare:Middle"


class Middle:
    """A detector that costs nothing: it says that a face is in the middle. For what is not about faces."""

    name = "middle"
    version = "1"
    landmark_scheme: LandmarkScheme = "ibug68"
    same_person_similarity = group_similarity = 0.5
    weights_licences = {"no weights": WeightsLicence("nothing was trained", commercial=True)}  # noqa: RUF012

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """One face, the reference face."""
        side = min(image.shape[:2])
        points = reference_landmarks(AlignmentSettings(size_px=side)).astype(np.float32)
        return [FoundFace((0.0, 0.0, float(side), float(side)), 1.0, points, "ibug68")]

    def embed(self, image: np.ndarray, faces: Sequence[FoundFace]) -> np.ndarray:
        """Of its pixels."""
        return np.stack([cv2.resize(image, (8, 6)).ravel()[:128].astype(np.float32) for _ in faces])

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """1 − distance."""
        return np.asarray(1 - np.linalg.norm(first - second, axis=-1))


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


def pipeline(folder: Path, root: str, faces: str, workers: int) -> dict[str, float]:
    """The flow, after one over ten photos that starts Prefect; with the peaks of its processes' memory."""
    from flows.console import quiet_servers

    quiet_servers()
    from flows.prepare import prepare_faces

    first = sorted(path for path in folder.iterdir() if path.is_dir())[0]
    prepare_faces([str(first)], "first", f"{root}/first", faces, workers=workers)
    with peaks() as peak:
        start, cpu = time.perf_counter(), _cpu_s()
        prepare_faces([str(folder)], "set", root, faces, workers=workers)
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
    print(f"| round | plain | {workers} plain loops at once | pipeline | CPU ms a photo: plain | at once | pipeline |")
    print("|---|---|---|---|---|---|---|", flush=True)
    ways = ("plain", "loops", "pipeline")
    sums = {way: {"photos": 0.0, "wall_s": 0.0, "cpu_s": 0.0} for way in ways}
    for number in range(rounds):
        common = ("--folder", folder, "--faces", faces)
        plain_loop = apart("--run", "plain", *common)
        runs = [started("--run", "plain", *common) for _ in range(workers)]
        loops = [measured(run) for run in runs]
        many = apart("--run", "pipeline", *common, "--workers", workers, "--root", scratch / f"{number}")
        at_once = {name: sum(loop[name] for loop in loops) for name in ("photos", "cpu_s")}
        at_once["wall_s"] = max(loop["wall_s"] for loop in loops)
        for way, got in zip(ways, (plain_loop, at_once, many), strict=True):
            for name in sums[way]:
                sums[way][name] += got[name]
        print(_speeds(str(number + 1), {"plain": plain_loop, "loops": at_once, "pipeline": many}), flush=True)
    print(_speeds("all", sums), flush=True)


def _speeds(title: str, ways: dict[str, dict[str, float]]) -> str:
    """A row: rates, each with its ratio to the plain loop's, and the processor's time."""
    rates = {way: got["photos"] / got["wall_s"] for way, got in ways.items()}
    told = [f"{rate:.2f}/s" + f" ({rate / rates['plain']:.2f}×)" * (way != "plain") for way, rate in rates.items()]
    costs = [f"{1000 * got['cpu_s'] / got['photos']:.0f}" for got in ways.values()]
    return f"| {title} | {' | '.join(told)} | {' | '.join(costs)} |"


def work_alone(source: str, faces: str, photos: int = 14) -> None:
    """Prints what the pipeline does to a photo beyond the plain loop's steps, in one process."""
    detector, settings = load_detector(faces), DetectSettings(faces)
    items = list_images([source])

    def steps(item: SourceItem, columns: bool) -> float:
        start = time.process_time()
        pixels = decode_rgb(read_source(item.uri))
        found = detector.find(pixels)
        embeddings = detector.embed(pixels, found)
        if found and columns:
            _face_columns(pixels, found[0], embeddings[0], settings.alignment)
        elif found:
            encode_png(align_face(pixels, found[0], settings.alignment).crop)
        return 1000 * (time.process_time() - start)

    chosen = items[:: max(1, len(items) // photos)][:photos]
    for columns in (False, True):
        steps(chosen[0], columns)  # loads the weights
    costs = [[steps(item, columns) for columns in (False, True)] for item in chosen]
    plain_ms, whole_ms = np.mean(costs, axis=0)
    print(
        f"\nof {len(chosen)} photos: the plain steps {plain_ms:.0f} ms of CPU, with all columns {whole_ms:.0f} ms",
        flush=True,
    )


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
            CHEAP,
            "--workers",
            workers,
            "--root",
            scratch / f"root{size}",
        )
        rate = got["photos"] / got["wall_s"]
        print(f"| {size} | {got['parent_mib']:.0f} | {got['worker_mib']:.0f} | {rate:.0f} |", flush=True)


def heatmaps(root: Root, name: str = "set") -> None:
    """Prints size and speed of the cache, as it is and otherwise, against rendering."""
    shard = max(read_manifest(root, "heatmaps", read_set(root, name).tables["heatmaps"]).shards, key=lambda s: s.rows)
    stored = read_shard(root, "heatmaps", shard.fingerprint)
    faces = open_table(root, "faces", name).to_table(["face_id", "landmarks_xy"]).to_pylist()
    wanted = {row["face_id"]: row["landmarks_xy"] for row in faces}
    landmarks = [points for name in stored["face_id"].to_pylist() if (points := wanted[name]) is not None]
    points, spec, faces_in = np.array(landmarks, np.float32).reshape(-1, 68, 2), HeatmapSpec(), stored.num_rows
    table, scratch = stored.select(["face_id", "heatmap"]), Path(tempfile.mkdtemp())
    print(f"\n| heatmaps of {faces_in} faces | bytes a face | CPU ms, best of 20 |\n|---|---|---|")
    render_ms = _best_ms(lambda: render_heatmaps(points, "ibug68", SIZE_PX, spec))
    print(f"| rendered from landmarks, vectorised | 0 | {render_ms:.1f} |")
    for name, codec in (("the cache: zstd", "zstd"), ("lz4", "lz4"), ("uncompressed", "none")):
        path = scratch / codec
        pq.write_table(table, path, compression=codec, use_dictionary=False)
        read_ms = _best_ms(lambda path=path: _arrays(pq.read_table(path, columns=["heatmap"])))
        size = path.stat().st_size / faces_in
        print(f"| {name} | {size:.0f} | {read_ms:.1f} ({render_ms / read_ms:.1f} times as fast) |")
    read_ms = _best_ms(lambda: _arrays(read_shard(root, "heatmaps", shard.fingerprint, ["heatmap"])))
    print(f"| the cache, by read_shard | | {read_ms:.1f} ({render_ms / read_ms:.1f} times as fast) |", flush=True)


def _arrays(table: pa.Table) -> np.ndarray:
    column = table["heatmap"].combine_chunks().drop_null()
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), -1, 64, 64)


def _best_ms(work: Any) -> float:
    times: list[float] = []
    for _ in range(20):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return min(times)


def batches() -> None:
    """Prints what dlib's embedding costs alone and in batches."""
    detector, chips = DlibDetector(), []
    for number in range(1, 9):
        pixels = decode_rgb(read_source(f"sample:orl/s{number}/1.pgm"))
        chips.append(detector._chip(pixels, detector.find(pixels)[0]))  # pyright: ignore[reportPrivateUsage]
    embed = detector._embedder.compute_face_descriptor  # pyright: ignore[reportPrivateUsage]
    print("\n| dlib's embedding, chips at once | CPU ms a face |\n|---|---|")
    for size in (1, 2, 8):
        embed(chips[:size])
        start = time.process_time()
        for first in range(0, 8, size):
            embed(chips[first : first + size])
        print(f"| {size} | {1000 * (time.process_time() - start) / 8:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--faces", default="dlib")
    parser.add_argument("--source", default="sample:orl")
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    for internal in ("--run", "--folder", "--root"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        cv2.setNumThreads(1)
        folder = Path(asked.folder)
        run = plain(folder, asked.faces) if asked.run == "plain" else None
        print(json.dumps(run or pipeline(folder, asked.root, asked.faces, asked.workers)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        if asked.rounds:
            make_photos(Path(scratch) / "photos", asked.source, asked.photos)
            speed(Path(scratch) / "photos", Path(scratch), asked.faces, asked.workers, asked.rounds)
            work_alone(asked.source, asked.faces)
            heatmaps(Root(f"{scratch}/0"))
            batches()
        if asked.memory:
            memory(Path(scratch), asked.source, asked.memory, asked.workers)


if __name__ == "__main__":
    main()
