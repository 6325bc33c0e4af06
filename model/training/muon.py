"""Muon (Jordan et al. 2024): momentum whose update, a matrix for each layer, has all its singular values made one.

Adam scales each weight alone. A layer's gradient is dominated by a few directions, and the others hardly move. Made
orthogonal, all move alike. It is for the layers between the first and the last ones: where a network takes pictures in
or puts them out its directions are not alike, and Adam is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that, applied again and again, takes all singular values near one (Jordan et al. 2024)."""
ITERATIONS = 5
MOMENTUM = 0.95
MAX_ROWS = 64
"""Output channels made orthogonal to each other at a time: an update as good as with all, in a third of the time."""


class Muon(torch.optim.Optimizer):
    """For weights of convolutions: each is taken as a matrix, output channels × all that they see.

    Matrices of one shape are made orthogonal together: a network has many and few shapes, and small products cost a GPU
    no more than starting them does.
    """

    found_inf: Tensor | None = None
    """1 where a gradient is no number: a step then changes nothing. Fused optimisers have the same."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(list(weights), {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of all weights that have a gradient."""
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            blocks = [_blocks(self._ahead(weight, weight.grad).flatten(1)) for weight in moved]
            alike: dict[torch.Size, list[int]] = {}
            for n, of_weight in enumerate(blocks):
                alike.setdefault(of_weight.shape[1:], []).append(n)
            for numbers in alike.values():
                together = orthogonal(torch.cat([blocks[n] for n in numbers]))
                if self.found_inf is not None:
                    together = together * (1 - self.found_inf)
                for n, direction in zip(numbers, together.split([len(blocks[n]) for n in numbers]), strict=True):
                    moved[n].add_(direction.reshape(moved[n].shape), alpha=-group["lr"])

    def _ahead(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """Nesterov's momentum."""
        state: dict[str, Any] = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        average: Tensor = state["momentum"]
        if self.found_inf is None:
            average.lerp_(gradient, 1 - MOMENTUM)
        else:
            gradient = torch.where(self.found_inf == 1, average, gradient)  # the momentum stays as it is
            average.lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(average, MOMENTUM)


def _blocks(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "blocks rows2 columns"]:
    count = next(n for n in range(-(-len(matrix) // MAX_ROWS), len(matrix) + 1) if len(matrix) % n == 0)
    return matrix.view(count, -1, matrix.shape[1])


def orthogonal(matrix: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch rows columns"]:
    """The matrix with its singular values taken near one (0.7 to 1.2); its singular vectors are kept.

    X ← (aI + bXXᵀ + c(XXᵀ)²)·X, five times. All factors are polynomials of one small matrix, so only that is iterated.
    """
    if matrix.shape[-2] > matrix.shape[-1]:
        return orthogonal(matrix.mT).mT
    a, b, c = COEFFICIENTS
    x = matrix / torch.linalg.matrix_norm(matrix, keepdim=True).clamp_min(1e-12)
    one = torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    gram = x @ x.mT
    step = a * one + b * gram + c * (gram @ gram)
    factor = step
    for _ in range(ITERATIONS - 1):
        gram = step @ gram @ step
        step = a * one + b * gram + c * (gram @ gram)
        factor = step @ factor
    return factor @ x
