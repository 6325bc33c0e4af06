"""The networks of a training: three from one seed, and an embedder that is there already."""

from __future__ import annotations

from functools import cache

import torch

from mien.model.errors import DetectorError
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.embedder import DlibEmbedder
from mien.model.networks.generator import Generator, build_generator


def build_networks(
    config: GeneratorConfig, discriminator_width: int, seed: int, device: torch.device
) -> tuple[Generator, IdentityDiscriminator, ExpressionDiscriminator]:
    """Fresh networks whose weights depend on the seed alone; torch's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config)
        identity = IdentityDiscriminator(config.size_px, config.patch_px, discriminator_width)
        expression = ExpressionDiscriminator(config.patch_px, config.core_px, config.parts, discriminator_width)
    return generator.to(device), identity.to(device), expression.to(device)


@cache
def embedder_at_hand(device: torch.device) -> DlibEmbedder | None:
    """The embedder of the identity term, if the package that carries its weights is installed; one per device."""
    with torch.random.fork_rng(devices=[]):  # layers draw weights before they are given theirs
        try:
            return DlibEmbedder().to(device)
        except DetectorError:
            return None
