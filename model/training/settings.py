"""Everything that decides a training, in one frozen record that is logged and fingerprinted.

Free of torch, so that settings are read without loading it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from mien.model.configuration.bounds import (
    BelowOne,
    Bounds,
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    Seed,
    Share,
    check_bounds,
)
from mien.model.errors import SettingsError
from mien.model.networks.config import GeneratorConfig
from mien.model.precision import Precision
from mien.model.training.discriminator_settings import DiscriminatorSettings
from mien.model.training.loss_weights import GanLoss, LossWeights, RealPair
from mien.model.training.stopping import StopSettings

DeviceKind = Literal["cpu", "cuda"]
OptimizerKind = Literal["muon", "adam", "sgd"]


@dataclass(frozen=True)
class AugmentationSettings:
    """How far both photos of a pair are changed, alike; each change is drawn evenly from -max to +max for each pair."""

    flip: bool = True
    """Mirror half of the pairs; left and right parts are exchanged."""
    stretch: BelowOne = 0.1
    """Relative change of width and, drawn separately, of height."""
    rotation_degrees: Annotated[float, Bounds(min=0, max=180)] = 5.0
    """Turn about the middle of the crop."""
    shift: Share = 0.04
    """Along each axis, as a share of the side."""
    contrast: Share = 0.2
    """Relative change."""
    brightness: Annotated[float, Bounds(min=0, max=2)] = 0.15
    """In units of the range [-1, 1]."""
    grey: Share = 0.15
    """Of the pairs, this much is made grey: what is generated from a grey photo is to be grey."""
    tint: BelowOne = 0.1
    """Relative change of each colour, drawn separately."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training. `steps` and `minutes` may both be set: the first limit reached ends it."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator_width: Count = 32
    """Channels of the first layer of both discriminators."""
    resident_faces: Annotated[int, Bounds(min=102)] = 20_000
    """Faces in the memory of each process at most, of 80 kB at 128 px and 230 kB at 256 px. Where there are more, pairs
    are drawn from so many of them, and others take their places in turn."""
    resident_draws: Positive = 4.0
    """How often a face is drawn on average before another one takes its place; less often means more reading."""
    batch_size: Count = 4
    """Pairs per update. On a CPU small batches are nearly as fast per pair, and more updates learn more."""
    accumulate: Count = 1
    """Parts that a batch is computed in, one after the other, for want of memory; on several devices, parts of what
    each one computes. Faces are compared with others of their part alone."""
    pair_candidates: Count = 2
    """Each pair is the one of so many whose landmarks move most."""
    max_sources: Annotated[int, Bounds(min=1, max=16)] = 4
    """Photos of a person that the generator gets at most: half of the updates are of pairs with one source, the others
    of 2 to so many, none of them the target. 1 trains with one alone."""
    pretrain_batch_size: Annotated[int, Bounds(min=2)] = 8
    """Pairs per update of the discriminators before the generator starts; n pairs are n² to D_id."""
    steps: Count | None = None
    """Generator updates."""
    minutes: Positive | None = None
    """Time spent in training, pretraining included, summed over resumed runs."""
    pretrain_steps: CountOrZero = 600
    """Updates of the two discriminators before the generator starts; no more than `steps`, so that a short training
    does not spend its time on the discriminators."""
    pretrain_share: Share = 0.1
    """Of `minutes`, at most this much goes into pretraining."""
    optimizer: OptimizerKind = "muon"
    """muon: Muon for the convolutions inside the generator and Adam for the rest; adam: Adam for the generator; the
    discriminators have Adam with both. sgd: plain stochastic gradient descent for all three networks."""
    learning_rate: Positive = 1e-3
    """Of the generator, by Adam or SGD; rises over the first updates, then falls to a twentieth along a half cosine
    over whichever limit is nearer."""
    muon_learning_rate: Positive = 2e-2
    """Muon's, of the generator; rises and falls likewise."""
    warmup_steps: Count = 100
    """Updates over which the generator's learning rates rise."""
    max_gradient: Positive = 60.0
    """Longer gradients of the generator are shortened to this: a pair with wrong landmarks is not to throw it off."""
    discriminator_learning_rate: Positive = 5e-4
    """Of D_id and D_e beside the generator; falls likewise, from the first update that they take part in."""
    patches_learning_rate: Positive = 2e-3
    """Of D_p, which begins from nothing when the others are prepared; falls with theirs."""
    pretrain_learning_rate: Positive = 5e-4
    """Of both discriminators before it."""
    beta1: BelowOne = 0.9
    """Adam's first moment for the generator."""
    discriminator_beta1: BelowOne = 0.5
    """Adam's first moment for the discriminators (Radford et al. 2016)."""
    weights: LossWeights = field(default_factory=LossWeights)
    gan_loss: GanLoss = "bce"
    """How the adversarial terms score a logit: bce, the patent's, by log D; hinge; least_squares."""
    adversarial_from: Share = 0.6
    """Fraction of the training after which the discriminators and λ_GAN come in; 0 is the schedule of the patent. Until
    then the generator learns from the photos alone, at half the cost: what it draws first is too poor to learn from
    being found out."""
    expression_real_pair: RealPair = "matched"
    """The real pair of D_e beside the generator: matched takes the target photo with its landmarks, literal the source
    photo with the target's, as the patent's formula is written."""
    mismatched: NotNegative = 0.5
    """Weight of real pairs that do not belong together in the discriminators' losses beside the generator; 0 is the
    patent's loss alone."""
    discriminators: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    cross_every_steps: CountOrZero = 4
    """In the adversarial part every so many updates are of cross-person pairs: another person's expression, retargeted,
    with no photo to compare with. 0 leaves them out."""
    identity_share: Share = 0.25
    """Of a batch, this much goes through the embedder of the identity term, which is costly."""
    landmark_share: Share = 0.5
    """Of a batch, this much goes through the face mesh of the landmark term."""
    average_decay: BelowOne = 0.998
    """Of the moving average of the generator's weights, which is what is validated and registered; 0 registers the
    generator itself."""
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    stop: StopSettings = field(default_factory=StopSettings)
    seed: Seed = 0
    """Of the first weights, and of everything that is drawn."""
    precision: Precision = "auto"
    """auto: bfloat16 where the processor or GPU computes in it, else float32."""
    compiled: bool = False
    """Whether torch.compile makes kernels of the networks; the first updates take minutes."""
    tf32: bool = False
    """Whether a GPU multiplies matrices of float32 with 10 bits of fraction: Muon's, mostly."""
    validate_every_steps: Count = 500
    """Updates between validations."""
    validation_pairs: Count = 64
    """Pairs of held-out people that a validation draws."""
    checkpoint_every_s: NotNegative = 30.0
    """Seconds between checkpoints; at each update if 0."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.batch_size % self.accumulate:
            raise SettingsError(
                f"a batch_size of {self.batch_size} cannot be divided into accumulate = {self.accumulate}"
            )
        if self.batch_size == self.accumulate and self.mismatched:
            raise SettingsError("a batch_size of 1 has no pairs that do not belong together: set mismatched = 0")
        if self.weights.identity and not self.identity_share:
            raise SettingsError("identity_share is 0: set the weight identity to 0 to leave the identity term out")
        if self.weights.landmarks and not self.landmark_share:
            raise SettingsError("landmark_share is 0: set the weight landmarks to 0 to leave the landmark term out")

    def for_device(self, kind: DeviceKind) -> TrainSettings:
        """As a start for a kind of device. On a CPU they stay what they are, where small batches learn most in a given
        time. What a GPU gets was chosen without one, and never tried: a batch that fills it, and its fast arithmetic.
        Learning rates stay."""
        if kind == "cpu":
            return self
        return replace(self, batch_size=64, precision="bfloat16", compiled=True, tf32=True)

    def part_size(self, processes: int) -> int:
        """Pairs that each of so many processes computes at a time.

        Raises:
            SettingsError: the batch cannot be divided among them.
        """
        parts = processes * self.accumulate
        if self.batch_size % parts:
            of_each = f" in accumulate = {self.accumulate} parts each" if self.accumulate > 1 else ""
            raise SettingsError(
                f"a batch_size of {self.batch_size} cannot be divided among {processes} devices{of_each}: set "
                f"train.batch_size to a multiple of {parts}"
            )
        if self.batch_size == parts and self.mismatched:
            raise SettingsError(
                f"{processes} devices get 1 pair each, and no pairs that do not belong together: set train.batch_size "
                f"to {2 * parts} or more"
            )
        return self.batch_size // parts
