"""A plan over synthetic faces: seconds for each million pairs, and the memory of the process that makes it.

python -m benchmarks.planning [--faces 1000000] [--pairs 10000000] [--photos 10] [--sources 4] [--unlabelled]

The faces lie in a table of a root as prepared ones do, so many photos of each person, with seven labels of expressions,
or without any, so that the drivers are clustered first. Timed are reading them, making the plan, counting it and
writing it as a table. The process that makes it does nothing else; printed is the most memory it held (VmHWM).
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import resource
import tempfile
import time
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from mien.model.plan_rules import PlanRules
from mien.storage import Root, ShardRef, commit, fingerprint, write_shard
from mien.storage.schemas import FACES, IMAGES
from mien.storage.shards import shard_path
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_shards import commit_pairs, store_round
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.sets.faces import FaceTables

EXPRESSIONS = ("calm", "happy", "sad", "angry", "disgusted", "fearful", "surprised")
SHARD_FACES = 20_000
SIDE_PX = 128


def synthetic_shard(root: Root, first: int, count: int, photos: int, labelled: bool) -> ShardRef:
    """Faces without pictures, of people with so many photos each."""
    random, numbers = np.random.default_rng(first), np.arange(first, first + count)
    ids = [fingerprint(f"face {number}") * 2 for number in numbers]
    poses = random.normal(0, 8, (count, 3)).astype(np.float32)
    landmarks = random.uniform(0, SIDE_PX, (count, 136)).astype(np.float32)
    columns: dict[str, pa.Array] = {
        "face_id": pa.array(ids),
        "image_id": pa.array(ids),
        "identity": pa.array([f"person {number // photos:07d}" for number in numbers]),
        "expression": pa.array(
            [EXPRESSIONS[n] for n in random.integers(7, size=count)] if labelled else [None] * count
        ),
        "split": pa.array(["train"] * count),
        "pose": pa.array(list(poses), FACES.field("pose").type),
        "landmarks_xy": pa.array(list(landmarks), FACES.field("landmarks_xy").type),
        "landmark_scheme": pa.array(["ibug68"] * count),
        "embedding": pa.array(list(_embeddings(numbers // photos, random)), FACES.field("embedding").type),
        "status": pa.array(["ok"] * count),
    }
    given = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in FACES
    ]
    name = fingerprint({"first": first, "count": count, "photos": photos, "labelled": labelled})
    return write_shard(root, "faces", name, pa.Table.from_arrays(given, schema=FACES))


def _embeddings(people: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As dlib's: photos of one person are 0.34 apart, of which some are taken for another look; of two people 1."""
    own = np.stack([np.random.default_rng(person).normal(0, 0.06, 128) for person in people.tolist()])
    return (own + random.normal(0, 0.021, own.shape)).astype(np.float32)


def synthetic_photos(root: Root, first: int, count: int) -> ShardRef:
    """The photos of such faces, all with consent."""
    columns: dict[str, pa.Array] = {
        "image_id": pa.array([fingerprint(f"face {number}") * 2 for number in range(first, first + count)]),
        "uri": pa.array([f"{number}.jpg" for number in range(first, first + count)]),
        "consent": pa.array(["given 2026-01-01"] * count),
        "version": pa.array(["1"] * count),
        "status": pa.array(["ok"] * count),
    }
    given = [columns.get(field.name, pa.nulls(count, field.type)) for field in IMAGES]
    name = fingerprint({"photos from": first, "count": count})
    return write_shard(root, "images", name, pa.Table.from_arrays(given, schema=IMAGES))


def synthetic_set(root: Root, faces: int, photos: int, labelled: bool) -> FaceTables:
    """The tables of a set of so many faces, as far as planning reads them."""
    parts = [(first, min(SHARD_FACES, faces - first)) for first in range(0, faces, SHARD_FACES)]
    shards = [synthetic_shard(root, *part, photos, labelled) for part in parts]
    images = commit(root, "images", [synthetic_photos(root, *part) for part in parts], {})
    settings = {"alignment": {"size_px": SIDE_PX}, "faces": "dlib"}
    table = commit(root, "faces", shards, {"settings": settings, "images": images.fingerprint})
    heatmaps = commit(root, "heatmaps", [], {"spec": {}})
    return FaceTables("synthetic", table.fingerprint, heatmaps.fingerprint)


def timed_plan(url: str, tables: dict[str, str], per_identity: int, rules: PlanRules) -> None:
    """Makes, counts and writes the plan; prints what it took."""
    root, given = Root(url), FaceTables(**tables)
    settings = PlanSettings(per_identity, rules=rules)
    marks = [time.perf_counter()]
    plan = make_plan(root, given, given, settings)
    marks.append(time.perf_counter())
    summary, outcome = plan.summary, PlanOutcome()
    marks.append(time.perf_counter())
    outcome.pairs += store_round(root, next(plan.rounds(outcome)))
    commit_pairs(root, plan, outcome, given, given)
    marks.append(time.perf_counter())
    millions = summary.pairs / 1e6
    print(f"{summary.identities:,} identities, {summary.pairs:,} pairs in {len(outcome.pairs):,} shards")
    print(f"evenness over {summary.entropies.text()}\n")
    print("| | seconds | seconds for a million pairs |")
    print("|---|---|---|")
    steps = zip(("read the faces", "count the plan", "make and write it"), np.diff(marks), strict=True)
    for what, seconds in [*steps, ("in all", marks[-1] - marks[0])]:
        print(f"| {what} | {seconds:.1f} | {seconds / millions:.1f} |")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = sum(root.size(shard_path("pairs", shard.fingerprint)) for shard in outcome.pairs)
    print(f"\nprocessor: {time.process_time():.1f} s; size of the table: {size / 2**20:.0f} MiB")
    print(f"most memory of the process: {most:.2f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--photos", type=int, default=10, help="of each person")
    parser.add_argument("--sources", type=int, default=4, help="photos of the person for each pair, at most")
    parser.add_argument("--unlabelled", action="store_true", help="cluster the expressions")
    parser.add_argument("--max-pose-difference", type=float)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        root = Root(scratch)
        tables = asdict(synthetic_set(root, asked.faces, asked.photos, not asked.unlabelled))
        per_identity = max(1, asked.pairs * asked.photos // asked.faces)
        rules = PlanRules(max_pose_difference=asked.max_pose_difference, sources=asked.sources)
        work = (scratch, tables, per_identity, rules)
        child = mp.get_context("spawn").Process(target=timed_plan, args=work)
        child.start()
        child.join()
        if child.exitcode:
            raise SystemExit("the plan could not be made")


if __name__ == "__main__":
    main()
