"""Whole trainings on drawn faces: they learn, log, keep checkpoints, and go on from them as if never stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.model.networks.config import GeneratorConfig
from mien.model.training.checkpoints import load_checkpoint
from mien.model.training.fit import FitResult, fit
from mien.model.training.loss_weights import LossWeights
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=4, each=4)
HELD_OUT = drawn_faces(people=2, each=3, seed=9)
SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=16, blocks=1),
    discriminator_width=8,
    batch_size=4,
    steps=16,
    pretrain_steps=4,
    validation_pairs=4,
    adversarial_from=0.0,
    validate_every_steps=8,
    checkpoint_every_s=0.0,
    weights=LossWeights(identity=0.0, landmarks=0.0),
)


class Record:
    """Remembers what it hears; may end the training from within, as a kill would."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.kill_after = kill_after
        self.steps: list[tuple[int, dict[str, float]]] = []
        self.measured: list[tuple[int, dict[str, float]]] = []
        self.sheets: list[tuple[int, tuple[int, ...]]] = []
        self.checkpoints: list[int] = []

    def losses(self, step: int, values: dict[str, float]) -> None:
        self.steps.append((step, values))
        if self.kill_after is not None and len(self.steps) > self.kill_after:
            raise KeyboardInterrupt

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self.measured.append((step, values))

    def grid(self, step: int, sheet: np.ndarray) -> None:
        self.sheets.append((step, sheet.shape))

    def checkpoint(self, step: int) -> None:
        self.checkpoints.append(step)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Record]:
    trainer, record = Trainer(SETTINGS, FACES, "cpu"), Record()
    fit(trainer, HELD_OUT, record, tmp_path_factory.mktemp("unbroken"))
    return trainer, record


def test_it_says_why_it_ended_and_what_it_reached(tmp_path: Path) -> None:
    result = fit(Trainer(replace(SETTINGS, steps=2), FACES, "cpu"), HELD_OUT, Record(), tmp_path)
    assert (result.reason, result.step) == ("step limit", 2)
    assert 0 < result.metrics["l1"] < 1


def test_the_log_hears_everything(unbroken: tuple[Trainer, Record]) -> None:
    record = unbroken[1]
    pretraining = [step for step, values in record.steps if "pretrain_identity" in values]
    training = [step for step, values in record.steps if "generator" in values]
    assert pretraining == [1, 2, 3, 4]
    assert training == list(range(1, 17))
    assert [step for step, _ in record.measured] == [0, 8, 16]
    assert [step for step, _ in record.sheets] == [8, 16]
    assert record.checkpoints == [0] * 4 + list(range(1, 17))


def test_it_learns(tmp_path: Path) -> None:
    record = Record()
    settings = replace(SETTINGS, warmup_steps=10, checkpoint_every_s=60.0, validate_every_steps=16)
    fit(Trainer(settings, FACES, "cpu"), HELD_OUT, record, tmp_path)
    l1 = [values["generator_l1"] for _, values in record.steps if "generator_l1" in values]
    assert np.mean(l1[-4:]) < 0.6 * np.mean(l1[:4])


@pytest.mark.parametrize("kill_after", [2, 13])
def test_a_killed_training_ends_as_the_unbroken_one(
    unbroken: tuple[Trainer, Record], tmp_path: Path, kill_after: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Trainer(SETTINGS, FACES, "cpu"), HELD_OUT, Record(kill_after), tmp_path)
    resumed, record = Trainer(SETTINGS, FACES, "cpu"), Record()
    result = fit(resumed, HELD_OUT, record, tmp_path)
    assert (result.reason, result.step) == ("step limit", 16)
    assert len(record.steps) == 20 - kill_after
    expected, tensors = unbroken[0].state()[0], resumed.state()[0]
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in tensors.items())
    assert result.metrics == unbroken[1].measured[-1][1]


def test_the_time_of_all_runs_counts(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Trainer(SETTINGS, FACES, "cpu"), HELD_OUT, Record(kill_after=8), tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    spent_s = checkpoint[1]["elapsed_s"]
    assert spent_s > 0
    record = Record()
    result = fit(Trainer(replace(SETTINGS, minutes=spent_s / 60), FACES, "cpu"), HELD_OUT, record, tmp_path)
    assert (result.reason, record.steps) == ("time limit", [])


def test_early_stop(tmp_path: Path) -> None:
    stop = replace(SETTINGS.stop, patience_validations=1, metric="l1")
    still = replace(SETTINGS, learning_rate=1e-30, muon_learning_rate=1e-30)  # what does not learn is never better
    settings = replace(still, stop=stop, steps=None, validate_every_steps=1)
    trainer = Trainer(settings, FACES, "cpu")
    assert fit(trainer, HELD_OUT, Record(), tmp_path).reason == "early stop"


def diverging(patience: int) -> TrainSettings:
    """Steps that are far too long: the pictures soon get worse."""
    stop = replace(SETTINGS.stop, patience_validations=patience, metric="l1")
    far = replace(SETTINGS, learning_rate=1.0, muon_learning_rate=10.0, warmup_steps=4, average_decay=0.2)
    return replace(far, stop=stop, steps=None, validate_every_steps=1)


class Copies(Record):
    """Keeps each checkpoint in a folder of its own: what a kill before the next one would leave."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def checkpoint(self, step: int) -> None:
        super().checkpoint(step)
        shutil.copytree(self.folder, self.of(step), dirs_exist_ok=True)

    def of(self, step: int) -> Path:
        return self.folder.with_name(f"{self.folder.name}-{step}")


@pytest.fixture(scope="module")
def stopped_early(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Copies, FitResult]:
    """A training that got worse and stopped, the record with its checkpoints, and what came of it."""
    folder = tmp_path_factory.mktemp("early") / "run"
    trainer, record = Trainer(diverging(3), FACES, "cpu"), Copies(folder)
    return trainer, record, fit(trainer, HELD_OUT, record, folder)


def test_an_early_stop_gives_the_best_average_and_not_the_last(
    stopped_early: tuple[Trainer, Copies, FitResult],
) -> None:
    trainer, record, result = stopped_early
    validated = {step: values["l1"] for step, values in record.measured if "l1" in values}
    best = min(validated, key=lambda step: validated[step])
    assert (result.reason, result.average_step, result.step) == ("early stop", best, best + 3)
    assert result.metrics["l1"] == validated[best] < validated[result.step]
    assert trainer.measure(HELD_OUT)["l1"] == validated[best]


def test_a_training_killed_after_its_best_validation_still_gives_that(
    stopped_early: tuple[Trainer, Copies, FitResult],
) -> None:
    whole, record, expected = stopped_early
    killed = record.of(expected.step - 1)
    resumed, again = Trainer(diverging(3), FACES, "cpu"), Trainer(diverging(3), FACES, "cpu")
    for trainer in (resumed, again):
        steps = Record()
        assert fit(trainer, HELD_OUT, steps, killed) == expected
        assert len(steps.steps) == (1 if trainer is resumed else 0)
    states = [trainer.average.state_dict() for trainer in (whole, resumed, again)]
    assert all(torch.equal(value, state[name]) for state in states for name, value in states[0].items())


def test_a_limit_gives_the_last_average(tmp_path: Path) -> None:
    limited = replace(diverging(50), steps=6)
    trainer = Trainer(limited, FACES, "cpu")
    result = fit(trainer, HELD_OUT, Record(), tmp_path)
    assert (result.reason, result.average_step) == ("step limit", 6)
