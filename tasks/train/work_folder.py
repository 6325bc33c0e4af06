"""What a training keeps on a local disk while it runs: checkpoints, its MLflow run, and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mien.model.errors import WeightsError
from mien.model.training.checkpoints import load_checkpoint
from mien.model.training.face_stream import TrainingFaces
from mien.model.training.settings import TrainSettings
from mien.model.training.together import Together
from mien.model.training.trainer import Trainer
from mien.storage import Root
from mien.storage.artefacts import CHECKPOINTS, warn_damaged
from mien.tasks.train.processes import OwnProcess


def local_root(root: Root) -> Root:
    """The root where trainings keep their files: the given one, or ./data for a remote one."""
    return root if root.local_path("") is not None else Root(str(Path("data").resolve()))


def work_folder(root: Root, training: str) -> Path:
    """Where the checkpoints of a training lie."""
    folder = local_root(root).local_path(f"checkpoints/{training}")
    assert folder is not None
    return folder


def resumed_trainer(
    settings: TrainSettings,
    faces: TrainingFaces,
    folder: Path,
    start: Mapping[str, Tensor] | None = None,
    ours: OwnProcess | None = None,
) -> Trainer:
    """A trainer in the state of the newest checkpoint, if there is one; else one that begins with the given weights.

    `ours`: what this process is among several, of which the others get the state; it is alone if None. Checkpoints that
    cannot be used are logged in one line and deleted: the training starts again.
    """
    device, group = ("auto", None) if ours is None else (ours.device, ours.group)
    trainer = Trainer(settings, faces, device, start, group)
    try:
        if (checkpoint := load_checkpoint(folder)) is not None:
            trainer.load_state(*checkpoint)
    except (WeightsError, KeyError, TypeError, ValueError, RuntimeError) as error:
        warn_damaged(f"the checkpoint in {folder} is damaged ({type(error).__name__})", CHECKPOINTS)
        for path in folder.glob("updates-*"):
            shutil.rmtree(path)
        trainer = Trainer(settings, faces, device, start, group)
    if isinstance(group, Together):
        group.shared_state(trainer.state())
    return trainer
