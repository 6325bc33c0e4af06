"""The optimisers, their learning-rate schedule, and their state as plain tensors for the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mien.model.networks.base import Generator
from mien.model.training.muon import Muon
from mien.model.training.settings import TrainSettings

_SCALE = "scale"
"""Of a group of weights: its learning rate over that of the optimiser."""
FINAL_SHARE = 0.05
"""Of the learning rate that is left at the end."""


def generator_optimizers(generator: Generator, settings: TrainSettings) -> tuple[torch.optim.Optimizer, ...]:
    """Those that update the generator: together they have each weight once."""
    weights = list(generator.parameters())
    match settings.optimizer:
        case "muon":
            rates = settings.muon_learning_rate, settings.learning_rate
            return muon_and_adam(generator, rates, settings.beta1)
        case "adam":
            return (adam(weights, settings.learning_rate, settings.beta1),)
        case "sgd":
            return (torch.optim.SGD(weights, lr=settings.learning_rate, fused=True),)


def discriminator_optimizer(discriminators: Mapping[str, nn.Module], settings: TrainSettings) -> torch.optim.Optimizer:
    """The one that updates all discriminators. D_p, which nothing has prepared for the generator, has a rate of its
    own, in proportion to that of the others."""
    own = {"patches": settings.patches_learning_rate / settings.discriminator_learning_rate}
    groups = [
        {"params": list(module.parameters()), _SCALE: own.get(name, 1.0)} for name, module in discriminators.items()
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.discriminator_learning_rate, fused=True)
    return adam(groups, settings.discriminator_learning_rate, settings.discriminator_beta1)


def muon_and_adam(generator: Generator, rates: tuple[float, float], beta1: float) -> tuple[Muon, torch.optim.Adam]:
    """Muon at the first rate for the convolutions inside of a generator, Adam at the second for its ends and biases."""
    inside: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in generator.named_parameters():
        within = weight.ndim == 4 and name.split(".")[0] not in generator.ENDS
        (inside if within else others).append(weight)
    return Muon(inside, rates[0]), adam(others, rates[1], beta1)


def adam(weights: Sequence[Tensor] | Sequence[dict[str, Any]], learning_rate: float, beta1: float) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015): stochastic gradient descent with a step size for each weight."""
    return torch.optim.Adam(weights, lr=learning_rate, betas=(beta1, 0.99), fused=True)


def scheduled(learning_rate: float, fraction_done: float) -> float:
    """A half cosine from the learning rate down to a twentieth of it."""
    left = (1 + math.cos(math.pi * min(fraction_done, 1.0))) / 2
    return learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * left)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """For all groups, each by its scale."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get(_SCALE, 1.0)


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
