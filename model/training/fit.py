"""A training from its first update to its end: pretrain the discriminators, then fit, validate, keep checkpoints.

The loop reports to a `TrainingLog`, which decides where the reports go and how they are shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from mien.model.training.checkpoints import load_checkpoint, save_checkpoint
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.readings import Update
from mien.model.training.stopping import StopReason
from mien.model.training.together import Together
from mien.model.training.trainer import Trainer

SAMPLE_ROWS = 6


@runtime_checkable
class TrainingLog(Protocol):
    """Receives the reports of a training. `step` counts updates of the generator; pretraining counts its own."""

    def losses(self, step: int, values: dict[str, float]) -> None:
        """Of each update, in their order: every named loss. It hears of several at once, when they were read."""
        ...

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """After pretraining and after each validation."""
        ...

    def grid(self, step: int, sheet: UInt8[np.ndarray, "height width 3"]) -> None:
        """Samples of held-out people, after each validation."""
        ...

    def checkpoint(self, step: int) -> None:
        """A checkpoint of this step is on disk."""
        ...


@dataclass(frozen=True)
class FitResult:
    """How a training ended."""

    reason: StopReason
    step: int
    average_step: int
    """Updates that the averaged generator has seen, which is the result; fewer than `step` after an early stop."""
    metrics: dict[str, float]
    """Of the averaged generator."""


def fit(trainer: Trainer, held_out: FaceArrays, log: TrainingLog, folder: Path) -> FitResult:
    """Trains to the end and returns why it ended; goes on from the newest checkpoint in `folder`, if there is one.

    Raises:
        WeightsError: that checkpoint is damaged.
    """
    if (checkpoint := load_checkpoint(folder)) is not None:
        trainer.load_state(*checkpoint)
    keeper = _Keeper(trainer, log, folder)
    while not trainer.pretrained:
        _report(trainer.pretrain(), log)
        keeper.keep_if_due()
    _report(trainer.flush(), log)
    if trainer.step == 0:
        log.metrics(0, trainer.validate_discriminators(held_out))
    measured: dict[str, float] | None = None
    while (reason := trainer.stop_reason()) is None:
        _report(trainer.train_step(), log)
        due = trainer.step % trainer.settings.validate_every_steps == 0
        measured = _validate(trainer, held_out, log) if due else None
        keeper.keep_if_due()
    if trainer.average_step != trainer.step:
        trainer.keep_best()
        measured = trainer.measure(held_out)
    measured = measured or _validate(trainer, held_out, log)
    keeper.keep()
    return FitResult(reason, trainer.step, trainer.average_step, measured)


def follow(trainer: Trainer, group: Together) -> None:
    """Takes part in the training that the first process of the group fits, until that is over.

    Raises:
        GroupError: another process has gone.
        TrainingError: as `Trainer.train_step`, in all processes.
    """
    for kind, elapsed_s in group.follow():
        trainer.elapsed_s = elapsed_s
        if kind == "pretrain":
            trainer.pretrain()
        else:
            trainer.train_step()


def _validate(trainer: Trainer, held_out: FaceArrays, log: TrainingLog) -> dict[str, float]:
    _report(trainer.flush(), log)
    measured = trainer.validate(held_out)
    log.metrics(trainer.step, measured)
    log.grid(trainer.step, trainer.sample_grid(held_out, SAMPLE_ROWS))
    return measured


def _report(updates: Sequence[Update], log: TrainingLog) -> None:
    for update in updates:
        log.losses(update.step, update.losses)


class _Keeper:
    """Writes checkpoints every so many seconds."""

    def __init__(self, trainer: Trainer, log: TrainingLog, folder: Path) -> None:
        self._trainer, self._log, self._folder = trainer, log, folder
        self._kept_s = time.monotonic()
        self._kept_updates: int | None = None

    def keep_if_due(self) -> None:
        if time.monotonic() - self._kept_s >= self._trainer.settings.checkpoint_every_s:
            self.keep()

    def keep(self) -> None:
        updates = self._trainer.pretrained_steps + self._trainer.step
        if updates == self._kept_updates:
            return
        _report(self._trainer.flush(), self._log)
        save_checkpoint(self._folder, updates, *self._trainer.state())
        self._kept_s, self._kept_updates = time.monotonic(), updates
        self._log.checkpoint(self._trainer.step)
