"""Recipes: each trains, and the patent's is the patent's method and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.model.configuration.refine import refine
from mien.model.networks.residual import ResidualGenerator
from mien.model.training import losses
from mien.model.training.fit import FitResult, fit
from mien.model.training.recipes import RECIPES, Recipe
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces
from tests.read_updates import pretrain, train_step

FACES = drawn_faces(people=4, each=4)
HELD_OUT = drawn_faces(people=2, each=3, seed=9)


class Silence:
    """A log that nobody reads."""

    def losses(self, step: int, values: dict[str, float]) -> None: ...

    def metrics(self, step: int, values: dict[str, float]) -> None: ...

    def grid(self, step: int, sheet: object) -> None: ...

    def checkpoint(self, step: int) -> None: ...


def small(recipe: Recipe, **changed: object) -> TrainSettings:
    """The recipe with small networks and few updates."""
    given = {
        "generator": {"size_px": 64, "width": 16, "blocks": 1},
        "discriminator_width": 8,
        "steps": 4,
        "pretrain_steps": 2,
        "validation_pairs": 4,
        "precision": "float32",
    }
    return refine(RECIPES[recipe], given | changed)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_short_training_runs_to_its_limit(recipe: Recipe, tmp_path: Path) -> None:
    result = fit(Trainer(small(recipe), FACES, "cpu"), HELD_OUT, Silence(), tmp_path)
    assert (result.reason, result.step) == ("step limit", 4)
    assert all(math.isfinite(value) for value in result.metrics.values())


def test_the_losses_of_the_patent_are_its_three_from_the_first_update_to_the_last() -> None:
    trainer = Trainer(small("patent", steps=8), FACES, "cpu")
    for _ in range(8):  # with `cross_every_steps` two of them would be of another kind
        named = train_step(trainer)
        first, second = named.pop("discriminator_identity"), named.pop("discriminator_expression")
        assert named.pop("discriminators") == pytest.approx(first + second, rel=1e-5)
        gan = named.pop("generator_identity") + named.pop("generator_expression")
        assert named.pop("generator") == pytest.approx(0.5 * gan + 1.0 * named.pop("generator_l1"), rel=1e-5)
        assert named == {}


def test_the_l1_of_the_patent_weighs_all_pixels_alike() -> None:
    trainer = Trainer(small("patent"), FACES, "cpu")
    sampler = Trainer(small("patent"), FACES, "cpu").sampler
    sampler.begin("train", 0, part=0)
    batch = sampler.draw(4, "cpu")
    with torch.no_grad():
        drawn = trainer.networks.generator(batch.sources, batch.target_keypoints).image
    assert train_step(trainer)["generator_l1"] == pytest.approx(
        losses.reconstruction_loss(batch.target, drawn).item(), rel=1e-5
    )


def test_the_generator_of_the_patent_draws_every_pixel() -> None:
    trainer = Trainer(small("patent"), FACES, "cpu")
    assert isinstance(trainer.networks.generator, ResidualGenerator)
    batch = trainer.sampler.draw(2, "cpu")
    made = trainer.networks.generator(batch.sources, batch.target_keypoints)
    trainer.networks.generator.draw.weight.data.zero_()
    trainer.networks.generator.draw.bias.data.zero_()  # pyright: ignore[reportOptionalMemberAccess]
    nothing = trainer.networks.generator(batch.sources, batch.target_keypoints)
    assert made.image.abs().max() > 0
    assert nothing.image.abs().max() < 1e-6  # a mask would let the source through


def test_each_update_of_the_patent_is_a_step_down_the_gradient() -> None:
    trainer = Trainer(small("patent", max_gradient=1e9), FACES, "cpu")
    networks = (trainer.networks.generator, trainer.networks.identity, trainer.networks.expression)
    before = [[weight.detach().clone() for weight in network.parameters()] for network in networks]
    rates = trainer.learning_rates()
    train_step(trainer)
    for network, old, rate in zip(
        networks, before, ("learning_rate", *["discriminator_learning_rate"] * 2), strict=True
    ):
        for weight, former in zip(network.parameters(), old, strict=True):
            assert weight.grad is not None
            torch.testing.assert_close(weight.detach(), former - rates[rate] * weight.grad)


def test_the_patent_keeps_the_generator_itself() -> None:
    trainer = Trainer(small("patent"), FACES, "cpu")
    train_step(trainer)
    pairs = zip(trainer.average.parameters(), trainer.networks.generator.parameters(), strict=True)
    assert all(torch.equal(average, weight) for average, weight in pairs)


def test_the_patent_ends_when_both_losses_reach_their_preset_values() -> None:
    settings = RECIPES["patent"]
    assert settings.stop.settled_identity == settings.stop.settled_expression == pytest.approx(2 * math.log(2))
    preset = {"settled_identity": 3.0, "settled_expression": 2.0, "tolerance": 100.0, "window_steps": 2}
    trainer = Trainer(small("patent", stop=preset), FACES, "cpu")
    train_step(trainer)
    assert trainer.stop_reason() is None
    train_step(trainer)
    assert trainer.stop_reason() == "discriminators settled"


def test_the_real_pair_is_matched_unless_the_letter_of_the_patent_is_chosen() -> None:
    assert RECIPES["patent"].expression_real_pair == "matched"
    literal = small("patent", expression_real_pair="literal")
    assert literal == replace(small("patent"), expression_real_pair="literal")
    assert train_step(Trainer(literal, FACES, "cpu")) != train_step(Trainer(small("patent"), FACES, "cpu"))


def test_a_training_by_gradient_descent_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    whole = Trainer(small("patent"), FACES, "cpu")
    done = fit(whole, HELD_OUT, Silence(), tmp_path / "whole")
    first = Trainer(small("patent", steps=4), FACES, "cpu")
    for _ in range(2):
        pretrain(first)
    train_step(first)
    second = Trainer(small("patent"), FACES, "cpu")
    tensors, rest = first.state()
    second.load_state({name: tensor.clone() for name, tensor in tensors.items()}, rest)
    resumed: FitResult = fit(second, HELD_OUT, Silence(), tmp_path / "resumed")
    assert resumed == done
