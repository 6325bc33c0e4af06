"""Each loss against its formula worked out by hand. D = sigmoid(logit): logit 0 is 1/2, log 3 is 3/4, -log 3 is 1/4."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from mien.model.training import losses

LOG2, LOG3 = math.log(2), math.log(3)
HALF, THREE_QUARTERS, QUARTER = 0.0, LOG3, -LOG3


def test_identity_discriminator_loss() -> None:
    # -(mean(log 3/4, log 1/2) + mean(log(1 - 1/4), log(1 - 1/2)))
    loss = losses.identity_discriminator_loss(torch.tensor([THREE_QUARTERS, HALF]), torch.tensor([QUARTER, HALF]))
    by_hand = -((math.log(3 / 4) + math.log(1 / 2)) / 2 + (math.log(3 / 4) + math.log(1 / 2)) / 2)
    assert loss.item() == pytest.approx(by_hand)


def test_expression_discriminator_loss() -> None:
    # One real pair taken for real with 1/4, one drawn pair taken for real with 3/4: -(log 1/4 + log(1 - 3/4)) = 4 log 2
    loss = losses.expression_discriminator_loss(torch.tensor([[QUARTER]]), torch.tensor([[THREE_QUARTERS]]))
    assert loss.item() == pytest.approx(4 * LOG2)


@pytest.mark.parametrize("loss", [losses.identity_discriminator_loss, losses.expression_discriminator_loss])
def test_an_undecided_discriminator_pays_two_log_two(loss: object) -> None:
    assert callable(loss)
    assert loss(torch.zeros(5), torch.zeros(5)).item() == pytest.approx(2 * LOG2)


def test_pretraining_loss() -> None:
    # Three false pairs count as much as the one true pair: -(log 3/4 + mean(log 3/4, log 1/2, log 1/4))
    loss = losses.pretraining_loss(torch.tensor([THREE_QUARTERS]), torch.tensor([QUARTER, HALF, THREE_QUARTERS]))
    by_hand = -(math.log(3 / 4) + (math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 4)) / 3)
    assert loss.item() == pytest.approx(by_hand)


def test_generator_terms() -> None:
    assert losses.generator_identity_loss(torch.tensor([QUARTER])).item() == pytest.approx(2 * LOG2)
    by_hand = -(math.log(3 / 4) + math.log(1 / 2)) / 2
    assert losses.generator_expression_loss(torch.tensor([[THREE_QUARTERS, HALF]])).item() == pytest.approx(by_hand)


def test_reconstruction_loss_is_the_mean_absolute_difference() -> None:
    target, drawn = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    drawn[0, 0, 0, 0], drawn[0, 2, 1, 1] = 0.6, -0.6
    assert losses.reconstruction_loss(target, drawn).item() == pytest.approx(100 * 1.2 / 12)


def test_losses_stay_finite_where_a_likelihood_rounds_to_zero() -> None:
    sure = torch.tensor([200.0], requires_grad=True)
    loss = losses.identity_discriminator_loss(-sure, sure)
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert sure.grad is not None
    assert sure.grad.item() == pytest.approx(2)


def test_mismatch_loss() -> None:
    # -mean(log(1 - 3/4), log(1 - 1/2)); nothing without pairs.
    loss = losses.mismatch_loss(torch.tensor([THREE_QUARTERS, HALF]))
    assert loss.item() == pytest.approx(-(math.log(1 / 4) + math.log(1 / 2)) / 2)
    assert losses.mismatch_loss(torch.tensor([])).item() == 0


def test_hinge_losses() -> None:
    # Discriminator: mean max(0, 1 - x) of real (0.5, 2) is 0.25; mean max(0, 1 + x) of drawn (-2, 1) is 1.
    real, drawn = torch.tensor([0.5, 2.0]), torch.tensor([-2.0, 1.0])
    assert losses.identity_discriminator_loss(real, drawn, "hinge").item() == pytest.approx(1.25)
    assert losses.expression_discriminator_loss(real, drawn, "hinge").item() == pytest.approx(1.25)
    assert losses.generator_identity_loss(drawn, "hinge").item() == pytest.approx(0.5)


def test_least_squares_losses() -> None:
    # Real (1, 0): mean (x - 1)² = 0.5; drawn (0.5): x² = 0.25; by the generator (x - 1)² = 0.25.
    real, drawn = torch.tensor([1.0, 0.0]), torch.tensor([0.5])
    assert losses.identity_discriminator_loss(real, drawn, "least_squares").item() == pytest.approx(0.75)
    assert losses.generator_expression_loss(drawn, "least_squares").item() == pytest.approx(0.25)


@pytest.mark.parametrize("kind", get_args(losses.GanLoss))
def test_equilibria_are_what_an_undecided_discriminator_pays(kind: losses.GanLoss) -> None:
    undecided = torch.full((3,), 0.5 if kind == "least_squares" else 0.0)
    loss = losses.identity_discriminator_loss(undecided, undecided, kind)
    assert loss.item() == pytest.approx(losses.EQUILIBRIUM[kind])


@pytest.mark.parametrize("kind", get_args(losses.GanLoss))
@pytest.mark.parametrize("true", [[0, 1], [0], []])
@pytest.mark.parametrize("false", [[2], [1, 2, 3], []])
def test_pairs_that_are_marked_count_as_if_they_were_alone(
    kind: losses.GanLoss, true: list[int], false: list[int]
) -> None:
    logits = torch.tensor([THREE_QUARTERS, HALF, QUARTER, THREE_QUARTERS], requires_grad=True)
    where = [
        torch.zeros(4, dtype=torch.bool).index_fill(0, torch.tensor(of, dtype=torch.int64), True)
        for of in (true, false)
    ]
    marked = losses.pretraining_loss(logits, logits, kind, (where[0], where[1]))
    alone = losses.pretraining_loss(logits[true], logits[false], kind)
    torch.testing.assert_close(marked, alone)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (marked, alone)]
    torch.testing.assert_close(*gradients)
    mismatch = losses.mismatch_loss(logits, kind, where[1])
    torch.testing.assert_close(mismatch, losses.mismatch_loss(logits[false], kind))


def test_pairs_of_one_kind_may_be_missing() -> None:
    true, false = torch.tensor([THREE_QUARTERS, HALF]), torch.tensor([QUARTER])
    assert losses.pretraining_loss(true[:0], false).item() == pytest.approx(-math.log(3 / 4))
    assert losses.pretraining_loss(true[1:], false[:0]).item() == pytest.approx(LOG2)
    assert losses.pretraining_loss(true[:0], false[:0]).item() == 0
