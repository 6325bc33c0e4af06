"""Everything that decides a training, in one frozen record that is logged and fingerprinted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mien.model.device import Precision
from mien.model.networks.generator import GeneratorConfig
from mien.model.training.augmentation import Augmentation
from mien.model.training.extra_losses import LossWeights
from mien.model.training.losses import GanLoss, RealPair
from mien.model.training.stopping import StopSettings

OptimizerKind = Literal["muon", "adam"]
"""Of the generator: Muon for the convolutions inside and Adam for the rest, or Adam for all."""


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training. `steps` and `minutes` may both be set: the first limit reached ends it."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator_width: int = 32
    batch_size: int = 4
    """Pairs per update. On a CPU small batches are nearly as fast per pair, and more updates learn more."""
    pair_candidates: int = 2
    """Each pair is the one of so many whose landmarks move most."""
    pretrain_batch_size: int = 8
    """Pairs per update of the discriminators before the generator starts; n pairs are n² to D_id."""
    steps: int | None = None
    """Generator updates."""
    minutes: float | None = None
    """Time spent in training, pretraining included, summed over resumed runs."""
    pretrain_steps: int = 600
    """Updates of the two discriminators before the generator starts."""
    pretrain_share: float = 0.1
    """Of `minutes`, at most this much goes into pretraining."""
    optimizer: OptimizerKind = "muon"
    learning_rate: float = 1e-3
    """Adam's, of the generator; rises over the first updates, then falls to a twentieth along a half cosine over
    whichever limit is nearer."""
    muon_learning_rate: float = 2e-2
    """Muon's, of the generator; rises and falls likewise."""
    warmup_steps: int = 100
    max_gradient: float = 60.0
    """Longer gradients of the generator are shortened to this: a pair with wrong landmarks is not to throw it off."""
    discriminator_learning_rate: float = 5e-4
    """Of both discriminators beside the generator; falls likewise."""
    pretrain_learning_rate: float = 5e-4
    """Of both discriminators before it."""
    beta1: float = 0.9
    """Adam's first moment for the generator."""
    discriminator_beta1: float = 0.5
    """Adam's first moment for the discriminators (Radford et al. 2016)."""
    weights: LossWeights = field(default_factory=LossWeights)
    gan_loss: GanLoss = "bce"
    """How the adversarial terms score a logit; `bce` is the patent's."""
    adversarial_from: float = 0.6
    """Fraction of the training after which the discriminators and λ_GAN come in; 0 is the schedule of the patent.
    Until then the generator learns from the photos alone, at half the cost: what it draws first is too poor to learn
    from being found out."""
    expression_real_pair: RealPair = "matched"
    mismatched: float = 0.5
    """Weight of real pairs that do not belong together in the discriminators' losses beside the generator; 0 is the
    patent's loss alone."""
    cross_every_steps: int = 4
    """In the adversarial part every so many updates are of cross-person pairs: another person's expression, retargeted,
    with no photo to compare with. 0 leaves them out."""
    identity_share: float = 0.25
    """Of a batch, this much goes through the embedder of the identity term, which is costly."""
    average_decay: float = 0.998
    """Of the moving average of the generator's weights, which is what is validated and registered."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    stop: StopSettings = field(default_factory=StopSettings)
    seed: int = 0
    precision: Precision = "auto"
    validate_every_steps: int = 500
    validation_pairs: int = 64
    checkpoint_every_s: float = 30.0
    """At each step if 0."""
