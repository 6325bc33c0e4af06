"""A prepared root with a generator and a plan, for measuring what a worker does with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.small_job import NAME, prepare_job, untrained_generator
from mien.storage import Root, ShardRef, read_shard
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.plan.pair_shards import store_round
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.sets.faces import crop_size_px, detector_of, face_tables
from mien.tasks.transfer.batches import BATCH
from mien.tasks.transfer.generate import Batch, PairGenerator
from mien.tasks.transfer.settings import TransferSettings

SIZE_PX, WIDTH, SHARD_PAIRS = 128, 24, 64
PHOTOS = [f"sample:orl/s{person}" for person in (1, 2, 3, 4)]


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

    @property
    def generator(self) -> PairGenerator:
        """Of the plan's pairs."""
        return PairGenerator(self.root, self.settings)


def bench_of(folder: Path, pairs: int, crop_px: int = SIZE_PX) -> Bench:
    """Prepares faces with crops of this side, a generator of 128 px and a plan."""
    root = Root(str(folder / "root"))
    prepare_job(root.url, PHOTOS, crop_px)
    tables = face_tables(root, NAME)
    saved = untrained_generator(root.url, folder / "generator", size_px=SIZE_PX, width=WIDTH, blocks=4)
    sha256 = keep_model(root, folder / "generator", saved.sha256)
    settings = TransferSettings(
        RegisteredModel("models:/untrained/1", "", sha256, False), (tables,), crop_size_px(root, tables),
        detector_of(root, tables),
    )  # fmt: skip
    settings = replace(settings, neutrals=keep_neutrals(root, settings.sets, sha256, settings.retarget))
    plan = make_plan(root, tables, tables, PlanSettings(per_identity=-(-pairs // len(PHOTOS))))
    return Bench(root, settings, store_round(root, partial(plan.parts, plan.first(), SHARD_PAIRS)))


def all_batches(bench: Bench) -> list[Batch]:
    """Every batch of the plan, decoded."""
    out: list[Batch] = []
    for shard in bench.shards:
        rows = bench.rows(shard)
        faces = bench.generator.faces(rows)
        out += [bench.generator.batch(rows[n : n + BATCH], faces) for n in range(0, len(rows), BATCH)]
    return out
