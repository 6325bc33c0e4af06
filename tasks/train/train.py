"""Training: faces of the tables in, a registered generator out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.model.configuration.toml import as_toml
from mien.model.detection.licences import WeightsLicence
from mien.model.device import keep_freed_memory
from mien.model.errors import WeightsError
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.training.fit import fit
from mien.model.training.recipes import Recipe
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from mien.storage import Root, fingerprint, source_digest
from mien.storage.artefacts import FINISHED, RUNS, json_artefact, keep, load, warn_damaged
from mien.tasks import tracking
from mien.tasks.errors import UsageError
from mien.tasks.generator.weights import RegisteredModel, keep_model, load_model, provenance_of
from mien.tasks.runtime.progress import UNKNOWN, progress
from mien.tasks.sets import licences
from mien.tasks.sets.faces import FaceTables, prepare_settings
from mien.tasks.train.face_index import FaceIndex, read_index
from mien.tasks.train.faces import held_out_faces, in_memory, reader_of, training_faces, warn_of_many_reads
from mien.tasks.train.options import changed_from_recipe
from mien.tasks.train.people import trained_on
from mien.tasks.train.processes import Work, dismiss, processes
from mien.tasks.train.run_description import of_training
from mien.tasks.train.run_log import RunLog
from mien.tasks.train.work_folder import local_root, resumed_trainer, work_folder

CODE = source_digest(__name__)
_log = logging.getLogger("mien.tasks")

EXPORTED = "exported"
"""Folder of the trained generator, beside its checkpoints."""


def training_fingerprint(
    sets: Sequence[FaceTables], settings: TrainSettings, start: RegisteredModel | None = None
) -> str:
    """What decides a training: the data, the settings, the weights that it begins with, the code."""
    data = [[tables.faces, tables.heatmaps] for tables in sets]
    decided: dict[str, Any] = {"code": CODE, "data": data, "settings": asdict(settings)}
    return fingerprint(decided if start is None else {**decided, "start": start.sha256})


@dataclass(frozen=True)
class TrainedWeights:
    """The outcome of a training that ran to its end."""

    training: str
    """Its fingerprint."""
    sha256: str
    """Of the weights, which are kept in the root."""
    run_id: str
    stopped: str
    steps: int
    average_step: int
    """Updates that the weights have seen: fewer than `steps` after an early stop."""
    people: int
    faces: int
    recipe: Recipe
    changed: dict[str, Any]
    """Settings that are not as the recipe has them, by dotted name."""
    description: str
    """What the page of the run says."""


_FINISHED = json_artefact(FINISHED, TrainedWeights)
_RUN = json_artefact(RUNS, str)


def train(
    root: Root,
    sets: Sequence[FaceTables],
    settings: TrainSettings,
    training: str,
    recipe: Recipe = "default",
    start: RegisteredModel | None = None,
    devices: int = 1,
) -> TrainedWeights:
    """Trains to the end, from the last checkpoint if there is one; the run in MLflow goes on with it.

    Args:
        root: Where the tables lie.
        sets: Prepared sets.
        settings: That decide the training.
        training: Its fingerprint.
        recipe: That the settings were made from, to be named in the run and in the model card.
        start: The generator that it begins with; a fresh one if None.
        devices: How many to train on, each with a process of its own.

    Raises:
        UsageError: nobody is held out, or nobody has two usable photos; there are not as many devices.
        RunError: a process of the training has gone.
    """
    folder, local = work_folder(root, training), local_root(root)
    if finished := _finished(root, training):
        dismiss()
        return finished
    everything = read_index(root, sets)
    learnt, unseen = everything.of_split("train"), held_out_faces(root, everything, "val")
    del everything
    _check_people(learnt, unseen)
    faces = training_faces(root, sets, learnt, settings)
    warn_of_many_reads(faces, learnt, settings)
    held_out = in_memory(unseen, reader_of(root, sets, unseen, faces.side_px))
    former = load(local, _RUN, training)
    keep_freed_memory()
    with tracking.tracked_run(root, f"train {'+'.join(s.name for s in sets)}", former) as run:
        keep(local, _RUN, training, run.run_id)
        run.settings({**asdict(settings), "training": training, "data": [tables.name for tables in sets]})
        run.text("settings.toml", as_toml(settings, "train"))
        run.tags({"mien.recipe": recipe, **({} if start is None else {"mien.began_with": start.uri})})
        changed = changed_from_recipe(settings, recipe)
        began_with = None if start is None else start.uri
        run.description(description := of_training([s.name for s in sets], settings, recipe, changed, began_with))
        run.data([ref for tables in sets for ref in tables.refs(root)], "training")
        weights = None if start is None else load_model(root, start.sha256).generator.state_dict()
        with processes(devices, Work.of(root, sets, settings)) as ours:
            run.tags({"mien.devices": ours.description})
            trainer = resumed_trainer(settings, faces, folder, weights, ours)
            with progress("train", UNKNOWN, "images") as advance:
                result = fit(trainer, held_out, RunLog(run, trainer, advance), folder)
        run.metrics({f"final/{name}": value for name, value in result.metrics.items()}, result.step)
        run.tags({"mien.stopped": result.reason, tracking.TRAINING_TAG: training})
        sha256 = _save_exported(root, sets, trainer, learnt, folder / EXPORTED, training, run.run_id, start)
    done = TrainedWeights(
        training=training,
        sha256=sha256,
        run_id=run.run_id,
        stopped=result.reason,
        steps=result.step,
        average_step=result.average_step,
        people=len(learnt.names),
        faces=len(learnt),
        recipe=recipe,
        changed=changed,
        description=description,
    )
    keep(local, _FINISHED, training, done)
    return done


def _finished(root: Root, training: str) -> TrainedWeights | None:
    """What came of a training, with its weights in the root; None where it has to go on."""
    done = load(local_root(root), _FINISHED, training)
    try:
        if done is not None:
            keep_model(root, work_folder(root, training) / EXPORTED, done.sha256)
    except WeightsError as error:
        warn_damaged(str(error), FINISHED)
        return None
    return done


def _check_people(learnt: FaceIndex, unseen: FaceIndex) -> None:
    for faces, what in ((learnt, "training"), (unseen, "held-out (val)")):
        if not (np.bincount(faces.people) >= 2).any():
            raise UsageError(
                f"no {what} person has two usable photos: prepare more people, each with several photos, "
                f"or choose other --val-fraction and --split-salt"
            )


def _save_exported(
    root: Root,
    sets: Sequence[FaceTables],
    trainer: Trainer,
    learnt: FaceIndex,
    folder: Path,
    training: str,
    run_id: str,
    start: RegisteredModel | None,
) -> str:
    """Exports the trained generator and copies it into the root; returns the hash of its weights."""
    prepared = prepare_settings(root, sets[0])
    provenance = {
        "training": training,
        "run_id": run_id,
        "data": {s.name: s.faces for s in sets},
        "trained_on": trained_on(root, learnt, training, start).as_json(),
        "began_with": None if start is None else {"uri": start.uri, "sha256": start.sha256},
        "steps": trainer.step,
        "average_step": trainer.average_step,
        "settings": asdict(trainer.settings),
        "faces": prepared["faces"],
        "weights": licences.as_json(licences.training_licences(root, sets) | _licences_of(root, start)),
    }
    alignment, spec = AlignmentSettings(**prepared["alignment"]), HeatmapSpec(**prepared["heatmaps"])
    shapes = trainer.sampler.shape_model
    scheme = learnt.schemes_found[0]
    ExportedGenerator(trainer.average, alignment, spec, provenance, shape_model=shapes, scheme=scheme).save(folder)
    return keep_model(root, folder)


def _licences_of(root: Root, start: RegisteredModel | None) -> dict[str, WeightsLicence]:
    """Of the weights that stand behind the generator that a training began with."""
    if start is None:
        return {}
    stored = licences.stored_licences(provenance_of(root, start.sha256).get("weights"))
    unknown = WeightsLicence("unknown: train it anew", commercial=False)
    return {f"the weights behind {start.uri}": unknown} if stored is None else stored
