"""One step of all networks along the gradients of a batch, or of none: which of both is decided on the device.

A batch may come in parts, here and in other processes; their gradients add up. Where a loss or a gradient is no number
the optimisers get a flag, as a gradient scaler gives it (`found_inf`), and change neither weights nor their own state.
The process does not wait to know it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mien.model.training.group import Group
from mien.model.training.muon import Muon
from mien.model.training.networks import Networks
from mien.model.training.optimizers import (
    discriminator_optimizer,
    generator_optimizers,
    load_optimizer_tensors,
    optimizer_tensors,
    set_learning_rate,
)
from mien.model.training.settings import TrainSettings


class Descent:
    """The optimisers of a training, and the gradients that wait for their next step."""

    def __init__(self, networks: Networks, settings: TrainSettings) -> None:
        self._generator = generator_optimizers(networks.generator, settings)
        self._discriminators = discriminator_optimizer(networks.discriminators, settings)
        self._max_gradient = settings.max_gradient

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Those of the next step, by the names of `Trainer.learning_rates`."""
        for optimizer in self._generator:
            of_muon = isinstance(optimizer, Muon)
            set_learning_rate(optimizer, rates["muon_learning_rate" if of_muon else "learning_rate"])
        set_learning_rate(self._discriminators, rates["discriminator_learning_rate"])

    def clear(self) -> None:
        """Forgets all gradients."""
        for optimizer in (*self._generator, self._discriminators):
            optimizer.zero_grad(set_to_none=True)

    def add(self, generator: Float[Tensor, ""] | None, game: Float[Tensor, ""] | None) -> None:
        """Adds the gradients of a part of the batch. Each side's loss goes to the weights of that side alone."""
        if generator is not None:
            generator.backward(inputs=_weights(self._generator), retain_graph=game is not None)
        if game is not None:
            game.backward(inputs=_weights([self._discriminators]))

    def step(self, losses: Float[Tensor, " losses"], group: Group) -> Bool[Tensor, ""]:
        """One step of whatever has gradients, on the device: whether it was taken.

        Args:
            losses: Sums over the parts of this process; those over all processes afterwards.
            group: The processes whose gradients are summed.
        """
        sides = [_gradients(self._generator), _gradients([self._discriminators])]
        group.sum([losses, *sides[0], *sides[1]])
        taken = losses.isfinite().all()
        if sides[0]:
            length = nn.utils.clip_grad_norm_(_weights(self._generator), self._max_gradient)
            taken = taken & length.isfinite()
        if sides[1]:
            taken = taken & nn.utils.get_total_norm(sides[1]).isfinite()
        left_out = (~taken).float()
        for optimizer in (*(self._generator if sides[0] else ()), *([self._discriminators] if sides[1] else ())):
            optimizer.found_inf = left_out  # pyright: ignore[reportAttributeAccessIssue]  # as torch.amp sets it
            optimizer.step()
        return taken

    def tensors(self) -> dict[str, Tensor]:
        """The state of the optimisers."""
        found: dict[str, Tensor] = {}
        for prefix, optimizer in self._named().items():
            found |= optimizer_tensors(optimizer, prefix)
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` took out."""
        for prefix, optimizer in self._named().items():
            load_optimizer_tensors(optimizer, prefix, tensors)

    def _named(self) -> dict[str, torch.optim.Optimizer]:
        generator = {f"optimize_generator_{n}.": optimizer for n, optimizer in enumerate(self._generator)}
        return {"optimize_discriminators.": self._discriminators, **generator}


def _weights(optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    return [weight for optimizer in optimizers for group in optimizer.param_groups for weight in group["params"]]


def _gradients(optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    return [weight.grad for weight in _weights(optimizers) if weight.grad is not None]
