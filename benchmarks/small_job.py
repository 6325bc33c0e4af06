"""A transfer job of seconds on real parts: a few AT&T (ORL) faces, an untrained motion generator, dlib's judgement.

An untrained one moves the source along the spline of its landmarks, so that some of its faces are accepted, some
rejected and replaced: a job has several rounds.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.open_gate import OPEN_GATE
from mien.storage import Root, ShardRef

if TYPE_CHECKING:
    from mien.model.inference.exported_generator import ExportedGenerator
    from mien.tasks.transfer.transfer_shards import TransferJob

NAME = "few"
CROP_PX = 64
PHOTOS = [f"sample:orl/s{person}/{photo}.pgm" for person in (1, 2, 3, 4) for photo in (1, 5)]
PER_IDENTITY = 8
SHARD_PAIRS = 2
MODEL = "models:/mien-generator/1"
LOG = "MIEN_SMALL_JOB_LOG"


def prepare_job(root: str, photos: list[str] | None = None, crop_px: int = CROP_PX) -> None:
    """Prepares the faces."""
    from mien.flows.prepare import prepare_faces

    prepare_faces(
        photos or PHOTOS,
        set=NAME,
        root=root,
        crop_size=crop_px,
        val_fraction=0.0,
        test_fraction=0.0,
        workers=1,
    )


def untrained_generator(
    root: str, folder: Path, size_px: int = CROP_PX, width: int = 8, blocks: int = 1
) -> ExportedGenerator:
    """Saves an untrained generator that fits the prepared faces."""
    import torch

    from mien.model.inference.exported_generator import ExportedGenerator
    from mien.model.landmarks.heatmap_spec import HeatmapSpec
    from mien.model.landmarks.reference import AlignmentSettings
    from mien.model.networks.config import GeneratorConfig
    from mien.model.networks.generator import build_generator
    from mien.tasks.sets.faces import face_tables, prepare_settings

    opened_root = Root(root)
    given = prepare_settings(opened_root, face_tables(opened_root, NAME))
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(kind="motion", size_px=size_px, width=width, blocks=blocks))
    alignment, spec = AlignmentSettings(**given["alignment"]), HeatmapSpec(**given["heatmaps"])
    return ExportedGenerator(generator, alignment, spec, {}).save(folder)


def register_generator(root: str, folder: Path) -> None:
    """Registers an untrained generator in the MLflow of the environment; its files lie beside `folder`."""
    from mien.tasks.tracking import Registration, register, tracked_run

    opened_root, saved = Root(root), untrained_generator(root, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder.parent), tracked_run(opened_root, "untrained") as run:
        register(
            opened_root,
            run,
            Registration(
                folder=folder,
                card=lambda uri: f"An untrained generator, {uri}.",
                faces="dlib",
                training="untrained",
                weights_sha256=saved.sha256 or "",
                validation_metric=1.0,
                metric_name="l1",
                generator="motion",
                champion=True,
                promotion="it is the first",
            ),
        )


def run_job(root: str, workers: int, log: str | None = None, per_identity: int = PER_IDENTITY) -> None:
    """The job, in small shards; `log` is a file that gets a line whenever a worker begins a shard."""
    import mien.tasks.plan.rounds
    from mien.flows import augment

    mien.tasks.plan.rounds.MIN_SHARD_PAIRS = SHARD_PAIRS
    if log:
        os.environ[LOG] = log
        augment.TRANSFER = replace(augment.TRANSFER, make=logged)  # sent to the workers by its name
    augment.augment_faces(
        identities=NAME,
        expressions=NAME,
        model=MODEL,
        root=root,
        per_identity=per_identity,
        workers=workers,
        settings={"gate": OPEN_GATE},
    )


def logged(root: Root, name: str, pairs: str, job: TransferJob) -> ShardRef:
    """Makes the shard as the stage does, and a line in the log before."""
    from mien.tasks.transfer.transfer_shards import TRANSFER

    with open(os.environ[LOG], "a") as log:
        log.write(f"{name}\n")
    return TRANSFER.make(root, name, pairs, job)
