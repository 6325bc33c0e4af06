"""The networks of a training: four from one seed, and an embedder that is there already."""

from __future__ import annotations

from functools import cache

import torch

from mien.model.networks.config import GeneratorConfig
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.embedder import DlibEmbedder
from mien.model.networks.generator import Generator, build_generator
from mien.model.networks.patch_discriminator import PatchDiscriminator


def build_networks(
    config: GeneratorConfig, discriminator_width: int, seed: int, device: torch.device, openings: bool = True
) -> tuple[Generator, IdentityDiscriminator, ExpressionDiscriminator, PatchDiscriminator]:
    """Fresh networks whose weights depend on the seed alone; torch's global random state is left as it was.

    `openings`: whether D_e sees what of mouth and eyes is to be open.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config)
        identity = IdentityDiscriminator(config.size_px, config.patch_px, discriminator_width)
        expression = ExpressionDiscriminator(
            config.patch_px, config.core_px, config.parts, discriminator_width, openings
        )
        patches = PatchDiscriminator(discriminator_width)
    return generator.to(device), identity.to(device), expression.to(device), patches.to(device)


@cache
def identity_embedder(device: torch.device) -> DlibEmbedder:
    """The embedder of the identity term; one per device.

    Raises:
        DetectorError: the package that carries its weights is not installed.
    """
    with torch.random.fork_rng(devices=[]):  # layers draw weights before they are given theirs
        return DlibEmbedder().to(device)
