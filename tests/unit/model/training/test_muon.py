"""Muon, against its formula reckoned by hand, and against what it is for."""

from __future__ import annotations

import pytest
import torch

from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.model.training.muon import COEFFICIENTS, ITERATIONS, MAX_ROWS, MOMENTUM, Muon, orthogonal
from mien.model.training.optimizers import muon_and_adam


def polynomial(value: float) -> float:
    """What becomes of a singular value."""
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        value = a * value + b * value**3 + c * value**5
    return value


def test_each_singular_value_goes_through_the_polynomial() -> None:
    matrix = torch.diag(torch.tensor([3.0, 2.0, 0.5], dtype=torch.float64))
    length = (9 + 4 + 0.25) ** 0.5
    expected = torch.diag(torch.tensor([polynomial(v / length) for v in (3, 2, 0.5)], dtype=torch.float64))
    torch.testing.assert_close(orthogonal(matrix), expected)


@pytest.mark.parametrize("shape", [(16, 90), (90, 16), (3, 16, 90)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape: tuple[int, ...]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = orthogonal(matrix)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    within = left.mT @ found @ right.mT
    torch.testing.assert_close(within, torch.diag_embed(within.diagonal(dim1=-2, dim2=-1)), atol=1e-9, rtol=0)


def test_a_weight_whose_blocks_have_more_outputs_than_they_see_is_updated() -> None:
    weight = torch.nn.Parameter(torch.zeros(2 * MAX_ROWS, 1, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=1.0).step()
    expected = -orthogonal(weight.grad.reshape(2, MAX_ROWS, 9)).reshape(weight.shape)
    torch.testing.assert_close(weight.detach(), expected)


def test_no_gradient_no_motion() -> None:
    assert orthogonal(torch.zeros(4, 9)).abs().max() == 0


def test_an_update_is_the_momentum_made_orthogonal_block_by_block() -> None:
    draw = torch.Generator().manual_seed(1)
    rows = 2 * MAX_ROWS
    weight = torch.nn.Parameter(torch.randn(rows, 8, 3, 3, generator=draw))
    before = weight.detach().clone()
    first, second = (torch.randn(weight.shape, generator=draw) for _ in range(2))
    optimizer = Muon([weight], lr=0.1)
    average = torch.zeros_like(first)
    for gradient in (first, second):
        weight.grad = gradient
        optimizer.step()
        average = MOMENTUM * average + (1 - MOMENTUM) * gradient
        ahead = MOMENTUM * average + (1 - MOMENTUM) * gradient
        blocks = ahead.reshape(2, MAX_ROWS, 72)
        before -= 0.1 * orthogonal(blocks).reshape(weight.shape)
    torch.testing.assert_close(weight.detach(), before)


@pytest.mark.parametrize("kind", ["motion", "residual"])
def test_muon_takes_the_convolutions_inside_and_adam_the_rest(kind) -> None:
    generator = build_generator(GeneratorConfig(kind=kind, size_px=64, width=8, blocks=1))
    muon, adam = muon_and_adam(generator, (0.02, 0.001), 0.9)
    names = {id(weight): name for name, weight in generator.named_parameters()}
    inside, others = (
        {names[id(weight)] for group in optimizer.param_groups for weight in group["params"]}
        for optimizer in (muon, adam)
    )
    assert inside | others == set(names.values())
    assert not inside & others
    assert all(name.endswith("weight") for name in inside)
    assert {name for name in others if name.endswith("weight")} == {f"{end}.weight" for end in generator.ENDS}


def test_weights_of_one_shape_are_moved_as_each_would_be_alone() -> None:
    draw = torch.Generator().manual_seed(2)
    shapes = [(8, 4, 3, 3), (16, 4, 3, 3), (8, 4, 3, 3), (2 * MAX_ROWS, 4, 3, 3), (MAX_ROWS, 4, 3, 3)]
    gradients = [torch.randn(shape, generator=draw) for shape in shapes]
    together, alone = ([torch.nn.Parameter(torch.zeros(shape)) for shape in shapes] for _ in range(2))
    for weights in (together, *([weight] for weight in alone)):
        of_these = (
            gradients if len(weights) > 1 else [gradients[n] for n, each in enumerate(alone) if each is weights[0]]
        )
        for weight, gradient in zip(weights, of_these, strict=True):
            weight.grad = gradient.clone()
        Muon(weights, lr=0.1).step()
    for first, second in zip(together, alone, strict=True):
        torch.testing.assert_close(first, second)
        assert first.abs().max() > 0


def test_a_step_with_a_gradient_that_is_no_number_changes_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(8, 4, 3, 3))
    optimizer = Muon([weight], lr=0.1)
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    optimizer.found_inf = torch.zeros(())
    optimizer.step()
    before, momentum = weight.detach().clone(), optimizer.state[weight]["momentum"].clone()
    assert not torch.equal(before, torch.ones_like(before))
    weight.grad = torch.full_like(weight, torch.nan)
    optimizer.found_inf = torch.ones(())
    optimizer.step()
    assert torch.equal(weight.detach(), before)
    assert torch.equal(optimizer.state[weight]["momentum"], momentum)
