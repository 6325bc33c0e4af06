"""The three networks of a training, from one seed."""

from __future__ import annotations

import torch

from model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from model.networks.generator import Generator, GeneratorConfig, build_generator


def build_networks(
    config: GeneratorConfig, discriminator_width: int, seed: int, device: torch.device
) -> tuple[Generator, IdentityDiscriminator, ExpressionDiscriminator]:
    """Fresh networks whose weights depend on the seed alone; torch's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config)
        identity = IdentityDiscriminator(config.patch_px, discriminator_width)
        expression = ExpressionDiscriminator(config.patch_px, config.core_px, config.parts, discriminator_width)
    return generator.to(device), identity.to(device), expression.to(device)
