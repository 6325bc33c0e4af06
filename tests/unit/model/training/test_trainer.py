"""Single updates do what the method says, with small networks on drawn faces."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from mien.model.device import pick_device, uses_bfloat16
from mien.model.errors import DetectorError
from mien.model.landmarks.heatmap_spec import HeatmapForm
from mien.model.networks.config import GeneratorConfig, GeneratorKind
from mien.model.training.discriminator_settings import PATENT_DISCRIMINATORS, DiscriminatorSettings
from mien.model.training.loss_weights import PATENT, GanLoss, LossWeights
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import dense_faces, drawn_faces
from tests.read_updates import pretrain, train_step

FACES = drawn_faces(people=4, each=4)
HELD_OUT = drawn_faces(people=2, each=3, seed=9)
SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=16, blocks=1),
    discriminator_width=8,
    batch_size=4,
    steps=6,
    pretrain_steps=3,
    validation_pairs=4,
    adversarial_from=0.0,
    precision="float32",
)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_pretraining_moves_the_discriminators_alone() -> None:
    trainer = Trainer(SETTINGS, FACES, "cpu")
    generator, identity, expression = map(
        weights, (trainer.networks.generator, trainer.networks.identity, trainer.networks.expression)
    )
    named = pretrain(trainer)
    assert set(named) == {"pretrain_identity", "pretrain_expression", "pretrain_swapped", "pretrain_changed"}
    assert same(generator, weights(trainer.networks.generator))
    assert not same(identity, weights(trainer.networks.identity))
    assert not same(expression, weights(trainer.networks.expression))


def test_a_step_moves_all_networks_and_the_average_follows() -> None:
    trainer = Trainer(SETTINGS, FACES, "cpu")
    networks = (trainer.networks.generator, trainer.networks.identity, trainer.networks.expression, trainer.average)
    before = [weights(network) for network in networks]
    named = train_step(trainer)
    assert all(not same(old, weights(network)) for old, network in zip(before, networks, strict=True))
    assert {"generator", "discriminator_identity", "discriminator_expression"} < set(named)
    assert all(np.isfinite(value) for value in named.values())


def test_the_patents_loss_is_there_as_it_is_written() -> None:
    settings = replace(SETTINGS, weights=PATENT, mismatched=0.0, discriminators=PATENT_DISCRIMINATORS)
    assert set(pretrain(Trainer(settings, FACES, "cpu"))) == {"pretrain_identity", "pretrain_expression"}
    named = train_step(Trainer(settings, FACES, "cpu"))
    terms = {"generator_identity", "generator_expression", "generator_l1"}
    discriminators = {"discriminator_identity", "discriminator_expression"}
    assert terms | discriminators | {"generator", "discriminators"} == set(named)
    assert named["discriminators"] == pytest.approx(sum(named[name] for name in discriminators), rel=1e-5)
    gan = 0.5 * (named["generator_identity"] + named["generator_expression"])
    assert named["generator"] == pytest.approx(gan + named["generator_l1"], rel=1e-5)


def test_every_weight_moves_the_loss_of_its_term_alone() -> None:
    plain = train_step(Trainer(replace(SETTINGS, weights=PATENT), FACES, "cpu"))
    for name, term in (
        ("coarse", "generator_coarse"),
        ("structure", "generator_structure"),
        ("moved", "generator_moved"),
        ("smoothness", "generator_smoothness"),
        ("features", "generator_features"),
        ("identity", "generator_embedding"),
        ("texture", "generator_texture"),
        ("landmarks", "generator_landmarks"),
    ):
        weights = replace(PATENT, **{name: 2.0})
        named = train_step(Trainer(replace(SETTINGS, weights=weights), FACES, "cpu"))
        assert set(named) - set(plain) == {term}
        assert named["generator"] == pytest.approx(plain["generator"] + 2 * named[term], rel=1e-4)


def test_mismatched_photos_count_among_the_false_pairs() -> None:
    discriminators = DiscriminatorSettings(swapped=0.125, changed_parts=2.0)
    named = train_step(Trainer(replace(SETTINGS, mismatched=0.25, discriminators=discriminators), FACES, "cpu"))
    game = sum(named[f"discriminator_{name}"] for name in ("identity", "expression", "patches"))
    mismatched = named["mismatched_identity"] + named["mismatched_expression"]
    nearly = 0.125 * named["swapped_identity"] + 2.0 * named["changed_expression"]
    assert named["discriminators"] == pytest.approx(game + 0.25 * mismatched + nearly, rel=1e-5)


def test_cross_person_updates_have_weights_of_their_own() -> None:
    weights = LossWeights(
        gan=0.25, patches=0.75, identity=7.0, landmarks=1.5, cycle=0.5, cross_embedding=3.0, cross_expression=5.0
    )
    named = train_step(Trainer(replace(SETTINGS, cross_every_steps=1, weights=weights), FACES, "cpu"))
    weight_of = {"identity": 0.25, "expression": 5.0, "cycle": 0.5, "embedding": 3.0, "smoothness": 0.1}
    weight_of |= {"patches": 0.75, "landmarks": 1.5}
    expected = sum(weight * named[f"cross_{name}"] for name, weight in weight_of.items())
    assert named["generator"] == pytest.approx(expected, rel=1e-4)
    without = replace(SETTINGS, cross_every_steps=1, weights=replace(weights, identity=0.0))
    assert "cross_embedding" not in train_step(Trainer(without, FACES, "cpu"))


@pytest.mark.parametrize("learn", [True, False])
def test_cross_person_updates_come_in_turn_and_the_discriminators_may_learn_from_them(learn: bool) -> None:
    discriminators = DiscriminatorSettings(cross=learn)
    trainer = Trainer(replace(SETTINGS, cross_every_steps=2, discriminators=discriminators), FACES, "cpu")
    assert "generator_l1" in train_step(trainer)
    networks = trainer.networks.generator, trainer.networks.identity, trainer.networks.expression
    generator, identity, expression = map(weights, networks)
    named = train_step(trainer)
    assert {"cross_identity", "cross_expression", "cross_embedding", "cross_cycle"} < set(named)
    assert ("discriminator_identity" in named) == learn
    assert (
        same(identity, weights(trainer.networks.identity))
        == same(expression, weights(trainer.networks.expression))
        == (not learn)
    )
    assert not same(generator, weights(trainer.networks.generator))
    assert "generator_l1" in train_step(trainer)


def test_without_the_embedders_weights_a_training_with_an_identity_term_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(device: torch.device) -> None:
        raise DetectorError("the weights are missing")

    monkeypatch.setattr("mien.model.training.networks.identity_embedder", missing)
    with pytest.raises(DetectorError, match="are missing"):
        Trainer(SETTINGS, FACES, "cpu")
    assert "generator_embedding" not in train_step(Trainer(replace(SETTINGS, weights=PATENT), FACES, "cpu"))


@pytest.mark.parametrize("loss", get_args(GanLoss))
def test_adversarial_losses_can_be_chosen(loss: GanLoss) -> None:
    trainer = Trainer(replace(SETTINGS, gan_loss=loss), FACES, "cpu")
    pretrain(trainer)
    assert all(np.isfinite(value) for value in train_step(trainer).values())


def test_without_the_adversarial_terms_the_generator_learns_from_the_photo_alone() -> None:
    trainer = Trainer(replace(SETTINGS, weights=replace(PATENT, gan=0.0)), FACES, "cpu")
    named = train_step(trainer)
    assert named["generator"] == pytest.approx(named["generator_l1"])


def test_the_generator_may_learn_from_photos_alone_at_first() -> None:
    trainer = Trainer(replace(SETTINGS, adversarial_from=0.5, cross_every_steps=0, weights=PATENT), FACES, "cpu")
    before = weights(trainer.networks.identity)
    alone = [train_step(trainer) for _ in range(3)]
    assert all(set(named) == {"generator", "generator_l1"} for named in alone)
    assert same(before, weights(trainer.networks.identity))
    assert "discriminator_identity" in train_step(trainer)
    assert not same(before, weights(trainer.networks.identity))


def test_the_literal_real_pair_is_another_training() -> None:
    literal, matched = (
        train_step(Trainer(replace(SETTINGS, expression_real_pair=pair), FACES, "cpu"))
        for pair in ("literal", "matched")
    )
    assert literal["discriminator_identity"] == matched["discriminator_identity"]
    assert literal["discriminator_expression"] != matched["discriminator_expression"]


def test_torchs_own_random_state_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = Trainer(SETTINGS, FACES, "cpu")
    train_step(first)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    second = Trainer(SETTINGS, FACES, "cpu")
    train_step(second)
    assert same(weights(first.networks.generator), weights(second.networks.generator))


def test_learning_rates_rise_at_first_and_fall_with_the_fraction_done() -> None:
    trainer = Trainer(replace(SETTINGS, warmup_steps=2), FACES, "cpu")
    assert trainer.learning_rates()["learning_rate"] == SETTINGS.learning_rate / 2
    trainer.step = 3
    assert trainer.fraction_done == 0.5
    half = SETTINGS.learning_rate * (0.05 + 0.95 / 2)
    assert trainer.learning_rates()["learning_rate"] == pytest.approx(half)
    trainer.step = 6
    assert trainer.learning_rates()["learning_rate"] == pytest.approx(SETTINGS.learning_rate / 20)


def test_the_discriminators_rate_falls_from_where_they_take_part() -> None:
    trainer = Trainer(replace(SETTINGS, adversarial_from=0.5), FACES, "cpu")
    full = SETTINGS.discriminator_learning_rate
    for step, rate in ((0, full), (3, full), (6, full / 20)):
        trainer.step = step
        assert trainer.learning_rates()["discriminator_learning_rate"] == pytest.approx(rate)


def test_limits_are_reasons() -> None:
    trainer = Trainer(replace(SETTINGS, minutes=1.0), FACES, "cpu")
    assert trainer.stop_reason() is None
    trainer.elapsed_s = 60.0
    assert trainer.stop_reason() == "time limit"
    trainer.step = 6
    assert trainer.stop_reason() == "step limit"


def test_pretraining_takes_at_most_its_share_of_the_time() -> None:
    trainer = Trainer(replace(SETTINGS, minutes=1.0, pretrain_share=0.1), FACES, "cpu")
    assert not trainer.pretrained
    trainer.elapsed_s = 6.0
    assert trainer.pretrained


def test_pretraining_takes_no_more_updates_than_the_training() -> None:
    trainer = Trainer(replace(SETTINGS, pretrain_steps=600, steps=2), FACES, "cpu")
    trainer.pretrained_steps = 1
    assert not trainer.pretrained
    trainer.pretrained_steps = 2
    assert trainer.pretrained


def test_validation_measures_generator_and_discriminators_without_moving_them() -> None:
    trainer = Trainer(SETTINGS, FACES, "cpu")
    train_step(trainer)
    state = trainer.state()[0]
    state = {name: value.clone() for name, value in state.items()}
    measured = trainer.validate(HELD_OUT)
    of_parts = {f"expression_auc_{part}" for part in ("lids", "mouth", "brows")}
    of_identity = {"identity_auc", "identity_auc_swapped", "identity_auc_drawn"}
    of_expression = {"expression_auc", "expression_auc_drawn", *of_parts}
    assert set(measured) == {"l1", "psnr", "ssim", "sharpness", *of_identity, *of_expression, "patches_auc_drawn"}
    assert all(np.isfinite(value) for value in measured.values())
    assert trainer.stopping.best == measured["l1"]
    after = trainer.state()[0]  # which has the best average besides
    assert all(torch.equal(value, after[name]) for name, value in state.items())


def test_the_sample_sheet_has_a_row_per_sample() -> None:
    sheet = Trainer(SETTINGS, FACES, "cpu").sample_grid(HELD_OUT, rows=3)
    assert sheet.shape == (18 + 3 * 66, 5 * 66, 3)


def test_precision_and_device() -> None:
    assert pick_device("cpu").type == "cpu"
    assert uses_bfloat16("bfloat16", torch.device("cpu"))
    assert not uses_bfloat16("float32", torch.device("cpu"))
    named = train_step(Trainer(replace(SETTINGS, precision="bfloat16"), FACES, "cpu"))
    assert all(np.isfinite(value) for value in named.values())


@pytest.mark.parametrize("kind", get_args(GeneratorKind))
@pytest.mark.parametrize("form", get_args(HeatmapForm))
def test_both_kinds_of_generator_learn_from_either_form_of_heatmaps(kind: GeneratorKind, form: HeatmapForm) -> None:
    faces, held_out = (
        dense_faces(of_some, "mediapipe478", replace(of_some.spec, form=form)) for of_some in (FACES, HELD_OUT)
    )
    settings = replace(SETTINGS, generator=replace(SETTINGS.generator, kind=kind), cross_every_steps=2)
    trainer = Trainer(settings, faces, "cpu")
    before = weights(trainer.networks.generator)
    losses = [train_step(trainer) for _ in range(4)]
    assert {"generator", "discriminator_expression"} < set(losses[0])
    assert all(np.isfinite(value) for named in losses for value in named.values())
    assert not same(before, weights(trainer.networks.generator))
    assert np.isfinite(trainer.validate(held_out)["l1"])


def test_a_training_may_begin_with_weights_of_another_side() -> None:
    first = Trainer(SETTINGS, FACES, "cpu")
    train_step(first)
    begun = first.average.state_dict()
    larger = replace(SETTINGS, generator=replace(SETTINGS.generator, size_px=96))
    for settings in (SETTINGS, larger):
        second = Trainer(settings, FACES, "cpu", begun)
        assert same(weights(second.networks.generator), weights(first.average))
        assert same(weights(second.average), weights(first.average))
    fresh = Trainer(SETTINGS, FACES, "cpu")
    assert not same(weights(fresh.networks.generator), weights(first.average))
