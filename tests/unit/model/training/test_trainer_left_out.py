"""Updates that would make weights of no numbers are left out, counted, and end a training where they go on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mien.model.errors import TrainingError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.loss_weights import LossWeights
from mien.model.training.objectives import adversarial_terms
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces
from tests.read_updates import pretrain, train_step

FACES = drawn_faces(people=4, each=4)
SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=16, blocks=1),
    discriminator_width=8,
    steps=40,
    adversarial_from=0.0,
    cross_every_steps=0,
    precision="float32",
    weights=LossWeights(identity=0.0, landmarks=0.0),
)


def faulty(monkeypatch: pytest.MonkeyPatch, updates: set[int]) -> Trainer:
    """A trainer whose generator's loss is no number in these updates."""
    trainer = Trainer(SETTINGS, FACES, "cpu")

    def broken(*given: Any) -> dict[str, torch.Tensor]:
        terms = adversarial_terms(*given)
        return terms | ({"generator": terms["generator"] * math.nan} if trainer.step in updates else {})

    monkeypatch.setattr("mien.model.training.trainer.adversarial_terms", broken)
    return trainer


def test_an_update_whose_loss_is_no_number_changes_nothing_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = faulty(monkeypatch, {0})
    before = {name: value.clone() for name, value in trainer.state()[0].items()}
    assert not any(name.startswith("optimize") for name in before)
    assert train_step(trainer) == {"left_out_updates": 1.0}
    after = trainer.state()[0]
    assert all(torch.equal(before[name], after[name]) for name in before)
    new = after.keys() - before.keys()
    assert all(name.startswith("optimize") and not after[name].any() for name in new)
    assert trainer.step == 1
    assert "generator_l1" in train_step(trainer)


def test_ten_such_updates_in_a_row_end_the_training_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = faulty(monkeypatch, set(range(9)) | set(range(10, 40)))
    for _ in range(19):
        train_step(trainer)
    with pytest.raises(TrainingError, match=r"10 updates in a row, up to update 20, .* lower train.learning_rate"):
        train_step(trainer)


def test_a_gradient_that_is_no_number_changes_nothing() -> None:
    trainer = Trainer(SETTINGS, FACES, "cpu")
    trainer.networks.generator.draw.weight.register_hook(lambda gradient: gradient * math.inf)
    before = [weight.detach().clone() for weight in trainer.networks.generator.parameters()]
    assert train_step(trainer) == {"left_out_updates": 1.0}
    after = list(trainer.networks.generator.parameters())
    assert all(torch.equal(first, second) for first, second in zip(before, after, strict=True))


@pytest.mark.parametrize("adversarial_from", [0.0, 1.0])
def test_landmarks_that_are_no_numbers_do_not_reach_the_networks(adversarial_from: float) -> None:
    """A flow of them ends the process in torch's samplers."""
    points = FACES.points.copy()
    points[:, 30] = np.nan
    trainer = Trainer(replace(SETTINGS, adversarial_from=adversarial_from), FACES, "cpu")
    trainer.sampler.faces = replace(FACES, points=points)
    assert train_step(trainer) == {"left_out_updates": 1.0}
    assert pretrain(trainer) == {"left_out_updates": 1.0}
