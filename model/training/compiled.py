"""Networks of a training compiled by torch: fewer and larger kernels, which a GPU is started less often for.

Weights and what they are called stay. Discriminators are used by parts (`embed`, `features`), so these are compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mien.model.training.networks import Networks


def compile_networks(networks: Networks, backend: str = "inductor") -> None:
    """From now on the networks that learn run compiled; what torch cannot compile runs as before."""
    import torch._dynamo
    import torch._functorch.config

    torch._dynamo.config.suppress_errors = True  # pyright: ignore[reportPrivateUsage]
    # One graph gives the gradients of both sides of the game, so its buffers are needed twice.
    torch._functorch.config.donated_buffer = False  # pyright: ignore[reportPrivateUsage]

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function, backend=backend)

    networks.generator.compile(backend=backend)
    networks.identity.embed = compiled(networks.identity.embed)
    networks.expression.features = compiled(networks.expression.features)
    if networks.patches is not None:
        networks.patches.features = compiled(networks.patches.features)
