"""Updates of a training with their losses, which it would leave on the device."""

from __future__ import annotations

from mien.model.training.trainer import Trainer


def pretrain(trainer: Trainer) -> dict[str, float]:
    """One update of the discriminators alone; its losses by name."""
    return (trainer.pretrain() + trainer.flush())[-1].losses


def train_step(trainer: Trainer) -> dict[str, float]:
    """One update of the generator; the losses by name."""
    return (trainer.train_step() + trainer.flush())[-1].losses
