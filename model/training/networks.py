"""The networks of a training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mien.model.networks.build import build_networks, identity_embedder
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.embedder import DlibEmbedder
from mien.model.networks.generator import Generator
from mien.model.networks.mesh_landmarks import MeshLandmarks
from mien.model.networks.patch_discriminator import PatchDiscriminator
from mien.model.training.settings import TrainSettings


@dataclass(frozen=True)
class Networks:
    """All that takes part in the losses."""

    generator: Generator
    identity: IdentityDiscriminator
    expression: ExpressionDiscriminator
    patches: PatchDiscriminator | None
    """D_p; None where it has no part."""
    embedder: DlibEmbedder | None
    """Of the identity term; None where there is none."""
    mesh: MeshLandmarks | None
    """Of the landmark term; None where there is none."""

    @classmethod
    def fresh(cls, settings: TrainSettings, device: torch.device) -> Networks:
        """Those of a training that begins.

        Raises:
            DetectorError: there is an identity or a landmark term, and a package with its weights is not installed.
        """
        generator, identity, expression, patches = build_networks(
            settings.generator, settings.discriminator_width, settings.seed, device, settings.discriminators.openings
        )
        embedder = identity_embedder(device) if settings.weights.identity else None
        mesh = MeshLandmarks(device) if settings.weights.landmarks else None
        return cls(generator, identity, expression, patches if settings.weights.patches else None, embedder, mesh)

    @property
    def discriminators(self) -> dict[str, nn.Module]:
        """Those that learn beside the generator, by name."""
        both: dict[str, nn.Module] = {"identity": self.identity, "expression": self.expression}
        return both if self.patches is None else {**both, "patches": self.patches}
