"""Bulk transfer: how fast a worker is beside its networks alone, where the rest goes, what memory and Prefect take.

python -m benchmarks.transfer [--pairs 256] [--rounds 3] [--shards 200] [--memory-pairs 0] [--memory-faces dlib]
                              [--sides 128,256] [--folder DIR]

One worker process's work, in this process, with single-threaded libraries as workers have them: AT&T (ORL) faces at
128 px, an untrained motion generator of the usual size, dlib's judgement. Compared is within this run only:

- end to end (read the shard, decode, heatmaps, generator, judge, encode, write) against generator and judge alone on
  prepared tensors, by the clock and by the processor (what counts where every core has its worker);
- what each way of running the generator changes in time and pixels (`--rounds 0` leaves both out);
- `--sides`: the same pairs from crops of the largest side, with faces of each of these sides (the generator looks at
  128 px whatever they have);
- the memory of the process after a twentieth of `--memory-pairs` and at their end; dlib's judgement takes most of the
  time, `--memory-faces benchmarks.free_detector:Middle` none;
- `--shards` shards that do nothing and as many that sleep: what a Prefect task run for each costs.
"""

# ruff: noqa: E402  # libraries read the number of threads when they are imported

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pyarrow as pa
import torch

from benchmarks.generator_ways import ways
from benchmarks.orchestration import orchestration
from benchmarks.servers import prefect_api
from benchmarks.transfer_bench import Bench, all_batches, bench_of
from mien.model.detection.allowed_classes import allow_all_classes
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb
from mien.model.quality.judge import judge_faces
from mien.storage import write_shard
from mien.storage.schemas import TRANSFERS
from mien.tasks.generator.weights import load_model
from mien.tasks.transfer.batches import in_batches
from mien.tasks.transfer.generate import Batch
from mien.tasks.transfer.pair_inputs import asked_of
from mien.tasks.transfer.settings import OutputSettings
from mien.tasks.transfer.transfer_shards import TRANSFER, TransferJob

READ, PREPARE = "read the shard: plan, faces, heatmaps", "decode, retarget, draw heatmaps"
DECODE = "(of that: decode the crops)"


@dataclass
class Clock:
    """Seconds by the clock and of the processor, by what they were spent on."""

    wall_s: defaultdict[str, float]
    cpu_s: defaultdict[str, float]

    @staticmethod
    def new() -> Clock:
        return Clock(defaultdict(float), defaultdict(float))

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Counts the block's time."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.wall_s[what] += time.perf_counter() - wall_s
        self.cpu_s[what] += time.process_time() - cpu_s


# --- End to end against the networks alone ----------------------------------------------------------------------------


def networks_alone(bench: Bench, batches: list[Batch]) -> None:
    """Generator and judge on what is prepared."""
    generator, detector = load_model(bench.root, bench.settings.model.sha256), load_detector(bench.settings.faces)
    for batch in batches:
        images = generator.generate(**vars(batch.generator), side_px=bench.generator.size_px)
        judge_faces(detector, list(images[: len(batch.targets)]), batch.targets, bench.settings.gate)


def end_to_end(bench: Bench) -> None:
    """The shards as a worker makes them; written under names that are not there yet."""
    for number, shard in enumerate(bench.shards):
        TRANSFER.make(bench.root, f"{time.time_ns() + number:032x}", shard.fingerprint, TransferJob(bench.settings))


def compare(bench: Bench, rounds: int) -> None:
    """Prints the ratio, the median of rounds of one after the other."""
    batches = all_batches(bench)
    networks_alone(bench, batches[:1])
    ratios: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        clock = Clock.new()
        with clock.on("alone"):
            networks_alone(bench, batches)
        with clock.on("whole"):
            end_to_end(bench)
        wall, cpu = (c["alone"] / c["whole"] for c in (clock.wall_s, clock.cpu_s))
        ratios.append((wall, cpu, bench.pairs / clock.cpu_s["whole"]))
    wall, cpu, rate = (median(values) for values in zip(*ratios, strict=True))
    print(f"\n{bench.pairs} pairs, median of {rounds} rounds")
    print("| rate end to end, over that of generator and judge alone | |")
    print("|---|---|")
    print(f"| by the clock | {wall:.3f} |")
    print(f"| by the processor | {cpu:.3f} |")
    print(f"\nfaces for a second of one processor, end to end: {rate:.1f}")


def stages(bench: Bench) -> None:
    """Prints where the processor's time goes, each stage by itself."""
    clock, pairs = Clock.new(), bench.generator
    for shard in bench.shards:
        with clock.on(READ):
            rows = bench.rows(shard)
            faces = pairs.faces(rows)
            asked = asked_of(bench.root, rows, faces, pairs.made_with, bench.settings.neutrals)
        for indices in in_batches(dict(enumerate(rows))):
            some = [rows[index] for index in indices]
            with clock.on(DECODE):
                [decode_rgb(faces.sources[row["identity_face_id"]]["crop"]) for row in some]
            with clock.on(PREPARE):
                batch = pairs.batch(some, faces)
            with clock.on("generator"):
                images = pairs.generator.generate(**vars(batch.generator), side_px=pairs.size_px)
            with clock.on("judge"):
                judged = pairs.judge(images, batch.targets)
            with clock.on("encode"):
                pairs.outcomes(some, [asked[index] for index in indices], images, judged)
    made = [list(pairs.rows(bench.rows(shard))) for shard in bench.shards]
    with clock.on("write the shard"):
        for number, rows in enumerate(made):
            name = f"{time.time_ns() + number:032x}"
            write_shard(bench.root, "transfers", name, pa.Table.from_pylist(rows, schema=TRANSFERS))
    told = (READ, PREPARE, "generator", "judge", "encode", "write the shard")
    total_s = sum(clock.cpu_s[what] for what in told)
    print("\n| stage | ms of a processor for a face | share |")
    print("|---|---|---|")
    for what in (*told, DECODE):
        took_s = clock.cpu_s[what]
        print(f"| {what} | {1000 * took_s / bench.pairs:.2f} | {took_s / total_s:.1%} |")


# --- Sides of the faces ---------------------------------------------------------------------------------------------


def sides(bench: Bench, of_px: Sequence[int], rounds: int) -> None:
    """Prints what a face of each side takes, end to end: the least of some rounds, one side after the other in each."""
    of_side = {
        side_px: replace(bench, settings=replace(bench.settings, output=OutputSettings(size_px=side_px)))
        for side_px in of_px
    }
    for sized in of_side.values():
        networks_alone(sized, all_batches(sized)[:1])
    took_s: dict[int, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for side_px, sized in of_side.items():
            clock = Clock.new()
            with clock.on("whole"):
                end_to_end(sized)
            took_s[side_px].append(clock.cpu_s["whole"] / bench.pairs)
    first = min(took_s[of_px[0]])
    print(f"\n{bench.pairs} pairs from crops of {bench.settings.crop_size_px} px, least of {rounds} rounds")
    print("| side of the faces | ms of a processor for a face | rate over the first |")
    print("|---|---|---|")
    for side_px, each_s in took_s.items():
        print(f"| {side_px} px | {1000 * min(each_s):.1f} | {first / min(each_s):.2f} |")


# --- Memory -----------------------------------------------------------------------------------------------------------


def resident_mib() -> float:
    """Memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def memory(bench: Bench, pairs: int, faces: str) -> None:
    """Prints the memory of a worker over so many pairs, judged by that detector."""
    bench = replace(bench, settings=replace(bench.settings, faces=faces))
    marks: list[tuple[int, float]] = []
    done = 0
    while done < pairs:
        end_to_end(bench)
        done += bench.pairs
        marks.append((done, resident_mib()))
    early = next(mark for mark in marks if mark[0] >= pairs / 20)
    print(f"\nmemory of the process: {early[1]:.0f} MiB after {early[0]} pairs, {marks[-1][1]:.0f} MiB after {done}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shards", type=int, default=200, help="of the no-op run")
    parser.add_argument("--memory-pairs", type=int, default=0)
    parser.add_argument("--memory-faces", default="dlib", help="detector that judges in it")
    parser.add_argument("--sides", help="of the faces, with commas between them: only these are compared")
    parser.add_argument("--folder")
    asked = parser.parse_args()
    allow_all_classes()  # as for a command: who types it gives all parameters
    torch.set_num_threads(1)
    sys.stdout.reconfigure(line_buffering=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch, prefect_api(Path(scratch)) as api:
        os.environ["PREFECT_API_URL"] = api
        if asked.sides:
            of_px = [int(side) for side in asked.sides.split(",")]
            sides(bench_of(Path(scratch), asked.pairs, max(of_px)), of_px, asked.rounds)
            return
        bench = bench_of(Path(scratch), asked.pairs)
        if asked.rounds:
            compare(bench, asked.rounds)
            stages(bench)
            ways(bench, asked.rounds)
        if asked.memory_pairs:
            memory(bench, asked.memory_pairs, asked.memory_faces)
        if asked.shards:
            orchestration(asked.shards, Path(scratch))


if __name__ == "__main__":
    main()
