"""Named settings of a training, as a start to refine."""

from __future__ import annotations

import math
from typing import Literal

from mien.model.networks.config import GeneratorConfig
from mien.model.training.discriminator_settings import PATENT_DISCRIMINATORS
from mien.model.training.loss_weights import PATENT
from mien.model.training.settings import TrainSettings
from mien.model.training.stopping import StopSettings

Recipe = Literal["default", "patent"]

_EQUILIBRIUM = 2 * math.log(2)

RECIPES: dict[Recipe, TrainSettings] = {
    "default": TrainSettings(),
    # The patent application as written. G draws every pixel. The losses are L_Did, L_De and L = −λ_GAN·L_GAN + λ_c·L1.
    # All three networks learn from the first update on, by stochastic gradient descent. Training ends when both
    # discriminator losses have converged to preset values, and the generator itself is stored, not an average of it.
    # The text leaves open sizes, the batch, augmentation and learning rates. These rates were tried on the AT&T (ORL)
    # faces: with Adam's the discriminators learn next to nothing, and so rest at the preset values from the start.
    "patent": TrainSettings(
        generator=GeneratorConfig(kind="residual", keeps_source=False),
        weights=PATENT,
        mismatched=0.0,
        discriminators=PATENT_DISCRIMINATORS,
        cross_every_steps=0,
        max_sources=1,
        pair_candidates=1,
        adversarial_from=0.0,
        optimizer="sgd",
        learning_rate=1e-2,
        discriminator_learning_rate=1e-2,
        pretrain_learning_rate=5e-2,
        average_decay=0.0,
        stop=StopSettings(settled_identity=_EQUILIBRIUM, settled_expression=_EQUILIBRIUM),
    ),
}
