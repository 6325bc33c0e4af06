"""Bulk transfer: how fast a worker is beside its networks alone, where the rest goes, what memory and Prefect take.

python -m benchmarks.transfer [--pairs 256] [--rounds 3] [--shards 200] [--memory-pairs 0] [--folder DIR]

One worker process's work, in this process, with single-threaded libraries as workers have them: AT&T (ORL) faces at
128 px, an untrained motion generator of the usual size, dlib's judgement. Compared is within this run only:

- end to end (read the shard, decode, heatmaps, generator, judge, encode, write) against generator and judge alone on
  prepared tensors, by the clock and by the processor (what counts where every core has its worker);
- what each way of running the generator changes in time and pixels;
- the memory of the process after a twentieth of `--memory-pairs` and at their end;
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pyarrow as pa
import torch

from benchmarks.servers import prefect_api
from benchmarks.small_job import NAME, prepare_job, untrained_generator
from model.application import ApplicationModel
from model.devices import Compute, uses_bfloat16
from model.faces import load_detector
from model.images import decode_rgb
from model.judging import judge_faces
from model.keypoints import KeypointInfo, heatmaps_to_float
from storage import Root, ShardRef, read_shard, write_shard
from storage.schemas import TRANSFERS
from tasks.faces import crop_size_px, detector_of, face_tables, photos_of, read_faces
from tasks.models import RegisteredModel, keep_model, load_model
from tasks.neutrals import keep_neutrals
from tasks.plan_shards import store_parts
from tasks.planning import PlanSettings, make_plan
from tasks.transfer import make_shard, shard_name
from tasks.transfer_rows import BATCH, FACE_COLUMNS, Prepared, generated_rows, outcomes, prepared
from tasks.transfer_settings import TransferSettings

if TYPE_CHECKING:
    from tasks.generation import GeneratorInputs

SIZE_PX, WIDTH, SHARD_PAIRS = 128, 24, 64
READ, PREPARE = "read the shard: plan, faces, heatmaps", "decode, retarget, draw heatmaps"
DECODE = "(of that: decode the crops)"
PHOTOS = [f"sample:orl/s{person}" for person in (1, 2, 3, 4)]


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


@dataclass(frozen=True)
class Bench:
    """A prepared root with its plan."""

    root: Root
    settings: TransferSettings
    shards: list[ShardRef]

    @property
    def pairs(self) -> int:
        """Of the plan."""
        return sum(shard.rows for shard in self.shards)

    def rows(self, shard: ShardRef) -> list[dict[str, Any]]:
        """Of the plan."""
        return read_shard(self.root, "pairs", shard.fingerprint).to_pylist()

    def faces(self, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What a shard reads of its faces and photos."""
        ids = {row[key] for row in rows for key in ("identity_face_id", "expression_face_id")}
        found = read_faces(self.root, self.settings.sets, ids, FACE_COLUMNS)
        photos = photos_of(
            self.root, self.settings.sets, {f["image_id"] for f in found.values()}, ["licence", "consent"]
        )
        return {face_id: face | {"photo": photos.get(face["image_id"], {})} for face_id, face in found.items()}


def bench_of(folder: Path, pairs: int) -> Bench:
    """Prepares faces, a generator and a plan."""
    root = Root(str(folder / "root"))
    prepare_job(root.url, PHOTOS, SIZE_PX)
    tables = face_tables(root, NAME)
    saved = untrained_generator(root.url, folder / "generator", size_px=SIZE_PX, width=WIDTH, blocks=4)
    sha256 = keep_model(root, folder / "generator", saved.sha256)
    settings = TransferSettings(
        RegisteredModel("models:/untrained/1", "", sha256, False), (tables,), crop_size_px(root, tables),
        detector_of(root, tables),
    )  # fmt: skip
    settings = replace(settings, neutrals=keep_neutrals(root, settings.sets, sha256, settings.retarget))
    plan = make_plan(root, tables, tables, PlanSettings(per_identity=-(-pairs // len(PHOTOS))))
    return Bench(root, settings, store_parts(root, partial(plan.parts, plan.first(), SHARD_PAIRS), 0))


# --- End to end against the networks alone ----------------------------------------------------------------------------


def networks_alone(bench: Bench, batches: list[Prepared]) -> None:
    """Generator and judge on what is prepared."""
    generator, detector = load_model(bench.root, bench.settings.model.sha256), load_detector(bench.settings.faces)
    for batch in batches:
        images = generator.generate(**vars(batch.generator))
        judge_faces(detector, list(images[: len(batch.asked)]), batch.asked, bench.settings.gate)


def end_to_end(bench: Bench) -> None:
    """The shards as a worker makes them; written under names that are not there yet."""
    for number, shard in enumerate(bench.shards):
        again = replace(bench.settings, crop_size_px=bench.settings.crop_size_px)
        name = shard_name(shard.fingerprint, again)[:-12] + f"{time.time_ns() + number:x}"[-12:]
        make_shard(bench.root, name, shard.fingerprint, again)


def all_batches(bench: Bench) -> list[Prepared]:
    """Every batch of the plan, decoded."""
    out: list[Prepared] = []
    for shard in bench.shards:
        rows = bench.rows(shard)
        faces = bench.faces(rows)
        out += [prepared(bench.root, rows[n : n + BATCH], faces, bench.settings) for n in range(0, len(rows), BATCH)]
    return out


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
    clock = Clock.new()
    generator, detector = load_model(bench.root, bench.settings.model.sha256), load_detector(bench.settings.faces)
    for shard in bench.shards:
        with clock.on(READ):
            rows = bench.rows(shard)
            faces = bench.faces(rows)
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            with clock.on(DECODE):
                [decode_rgb(faces[row["identity_face_id"]]["crop"]) for row in some]
            with clock.on(PREPARE):
                batch = prepared(bench.root, some, faces, bench.settings)
            with clock.on("generator"):
                images = generator.generate(**vars(batch.generator))
            with clock.on("judge"):
                judged = judge_faces(detector, list(images[: len(some)]), batch.asked, bench.settings.gate)
            with clock.on("encode"):
                outcomes(some, images, judged, bench.settings, "")
    made = [list(generated_rows(bench.root, bench.rows(shard), bench.settings)) for shard in bench.shards]
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


# --- Ways of running the generator ------------------------------------------------------------------------------------


def ways(bench: Bench, rounds: int) -> None:
    """Prints what batching, memory layout, inference mode and bfloat16 change."""
    inputs = all_batches(bench)[0].generator
    folder = bench.root.local_path(f"models/{bench.settings.model.sha256}")
    assert folder is not None
    half = uses_bfloat16("auto", torch.device("cpu")) or torch.cuda.is_available()
    usual = ApplicationModel.load(folder)
    rows = [
        ("as it is: batches of 16, channels_last, inference mode, float32", usual, inputs),
        ("a pair at a time", usual, inputs),
        ("plain memory layout", _plain(ApplicationModel.load(folder)), inputs),
        ("with gradients kept", usual, inputs),
        ("bfloat16", ApplicationModel.load(folder, compute=Compute(Compute.chosen("auto").device, "bfloat16")), inputs),
    ]
    runs: dict[str, Callable[[ApplicationModel, GeneratorInputs], np.ndarray]] = {
        rows[1][0]: _one_by_one, rows[3][0]: _with_gradients,
    }  # fmt: skip
    pixels = {what: runs.get(what, _generate)(model, given) for what, model, given in rows}
    times: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for what, model, given in rows if half else rows[:-1]:
            start_s = time.process_time()
            runs.get(what, _generate)(model, given)
            times[what].append(time.process_time() - start_s)
    first = rows[0][0]
    print("\n| generator | time over the usual way | most and mean difference of a pixel, of 255 |")
    print("|---|---|---|")
    for what in pixels:
        off = np.abs(pixels[what].astype(int) - pixels[first].astype(int))
        took = f"{median(times[what]) / median(times[first]):.2f}" if times[what] else "not in this hardware"
        print(f"| {what} | {took} | {off.max()}, {off.mean():.4f} |")


def _plain(model: ApplicationModel) -> ApplicationModel:
    model.generator.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    return model


def _generate(model: ApplicationModel, inputs: GeneratorInputs) -> np.ndarray:
    return model.generate(**vars(inputs))


def _one_by_one(model: ApplicationModel, inputs: GeneratorInputs) -> np.ndarray:
    each = range(len(inputs.source))
    return np.concatenate([model.generate(**{k: v[n : n + 1] for k, v in vars(inputs).items()}) for n in each])


def _with_gradients(model: ApplicationModel, inputs: GeneratorInputs) -> np.ndarray:
    model.generator.requires_grad_(True)
    photos = torch.from_numpy(np.ascontiguousarray(inputs.source.transpose(0, 3, 1, 2))).float() / 127.5 - 1
    keypoints = [
        KeypointInfo(heatmaps_to_float(torch.from_numpy(heatmaps)), torch.from_numpy(points).float())
        for heatmaps, points in (
            (inputs.source_heatmaps, inputs.source_points),
            (inputs.target_heatmaps, inputs.target_points),
        )
    ]
    image = model.generator(photos.contiguous(memory_format=torch.channels_last), *keypoints).image.detach()
    model.generator.requires_grad_(False)
    return ((image + 1) * 127.5).round().clamp(0, 255).byte().numpy().transpose(0, 2, 3, 1)


# --- Memory and orchestration -----------------------------------------------------------------------------------------


def resident_mib() -> float:
    """Memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def memory(bench: Bench, pairs: int) -> None:
    """Prints the memory of a worker over so many pairs."""
    marks: list[tuple[int, float]] = []
    done = 0
    while done < pairs:
        end_to_end(bench)
        done += bench.pairs
        marks.append((done, resident_mib()))
    early = next(mark for mark in marks if mark[0] >= pairs / 20)
    print(f"\nmemory of the process: {early[1]:.0f} MiB after {early[0]} pairs, {marks[-1][1]:.0f} MiB after {done}")


def sleeping_shard(root: Root, name: str, seconds: float) -> ShardRef:
    """A shard of nothing, made in a worker."""
    from tasks.pool import in_worker

    in_worker(time.sleep, seconds)
    return ShardRef("pairs", name, 0, {"ok": 0, "rejected": 0, "failed": 0})


def orchestration(shards: int, folder: Path, workers: int = 2, slept_s: float = 0.1) -> None:
    """Prints what a Prefect task run for each shard costs."""
    with prefect_api(folder) as api:
        os.environ["PREFECT_API_URL"] = api
        from prefect import flow, task
        from prefect.cache_policies import NO_CACHE

        from tasks.pool import in_worker, worker_pool
        from tasks.sharded import Step, over_shards, shard_threads

        run = task(name="sleep", retries=2, cache_policy=NO_CACHE)(sleeping_shard)

        @flow(name="calibrated-no-op", task_runner=shard_threads())
        def sleep_over(seconds: float) -> float:
            with worker_pool(workers):
                in_worker(time.sleep, 0)
                begun_s = time.perf_counter()
                over_shards(
                    Step("sleep", "shards", shards), run, Root(str(folder)), list(map(str, range(shards))), seconds
                )
                return time.perf_counter() - begun_s

        sleep_over(0.0)
        rows = [(seconds, sleep_over(seconds)) for seconds in (0.0, slept_s)]
    print(f"\n| {shards} shards, {workers} workers | seconds | beyond the work | share at shards of 10 s |")
    print("|---|---|---|---|")
    for seconds, took_s in rows:
        over_s = took_s - shards * seconds / workers
        share = over_s / (over_s + shards * 10 / workers)
        print(f"| of {seconds:g} s | {took_s:.1f} | {over_s:.1f} | {share:.2%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shards", type=int, default=200, help="of the no-op run")
    parser.add_argument("--memory-pairs", type=int, default=0)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.reconfigure(line_buffering=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch, prefect_api(Path(scratch)) as api:
        os.environ["PREFECT_API_URL"] = api
        bench = bench_of(Path(scratch), asked.pairs)
        compare(bench, asked.rounds)
        stages(bench)
        ways(bench, asked.rounds)
        if asked.memory_pairs:
            memory(bench, asked.memory_pairs)
        if asked.shards:
            orchestration(asked.shards, Path(scratch))


if __name__ == "__main__":
    main()
