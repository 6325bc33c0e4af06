"""Adam, its learning-rate schedule, and its state as plain tensors for the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

FINAL_SHARE = 0.05
"""Of the learning rate that is left at the end."""


def adam(modules: Iterable[nn.Module], learning_rate: float, beta1: float) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015), the application's stochastic gradient descent with per-weight step sizes."""
    parameters = [weight for module in modules for weight in module.parameters()]
    return torch.optim.Adam(parameters, lr=learning_rate, betas=(beta1, 0.99), fused=True)


def scheduled(learning_rate: float, fraction_done: float) -> float:
    """A half cosine from the learning rate down to a twentieth of it."""
    left = (1 + math.cos(math.pi * min(fraction_done, 1.0))) / 2
    return learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * left)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """For all groups."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The optimiser's state as `{prefix}{weight number}.{name}`; empty before its first step."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{prefix}{number}.{name}": value for number, of_weight in state.items() for name, value in of_weight.items()
    }


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what `optimizer_tensors` took out."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            number, name = key.removeprefix(prefix).split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
