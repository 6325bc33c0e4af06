"""Which losses a training has, and with which weights. Free of torch, so that settings are read without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.model.configuration.bounds import NotNegative, check_bounds

RealPair = Literal["matched", "literal"]
"""The real pair of the second loss: the matched (I_t, L_t), or (I_s, L_t) as the patent writes it."""

GanLoss = Literal["bce", "hinge", "least_squares"]

LAMBDA_GAN = 0.5
"""λ_GAN of the patent."""
LAMBDA_L1 = 1.0
"""λ_c of the patent."""


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the generator's loss; 0 leaves a term out. docs/model.md shows what each one does."""

    gan: NotNegative = LAMBDA_GAN
    """λ_GAN of the patent: D_id and D_e are to take the result for real."""
    patches: NotNegative = LAMBDA_GAN
    """Mouth and eyes are to be taken for photographed ones by D_p, which sees them at the picture's own resolution."""
    l1: NotNegative = LAMBDA_L1
    """λ_c of the patent: ‖I_t − Î_t‖₁."""
    mouth: NotNegative = 4.0
    """Pixels of the mouth count 1 + this in ‖·‖₁."""
    eyes: NotNegative = 4.0
    """Pixels of the eyes count 1 + this."""
    coarse: NotNegative = 0.5
    """‖·‖₁ of the means over squares of 4 and of 16 pixels, each with this weight."""
    structure: NotNegative = 5.0
    """1 − SSIM."""
    texture: NotNegative = 10.0
    """Strength of fine detail, window by window: the mean of all that could be there is soft."""
    moved: NotNegative = 0.2
    """‖·‖₁ of the moved source alone: the motion is to explain what it can before anything is drawn."""
    smoothness: NotNegative = 0.1
    """Total variation of the residual flow."""
    features: NotNegative = 1.0
    """Distance of D_e's features of the result and of the target photo, and of D_p's where it takes part."""
    identity: NotNegative = 2.0
    """Squared distance of the embeddings of the result and of a photo of the person. Where the embedder's weights are
    not installed, `mien train` sets it to 0 and says so."""
    landmarks: NotNegative = 0.5
    """Lids, lips and brows are to be where they are asked for, as a face mesh sees them in the result. Where its
    weights are not installed, `mien train` sets it to 0 and says so."""
    cycle: NotNegative = 0.5
    """‖·‖₁ between the source and the way back to it from a cross-person result."""
    cross_embedding: NotNegative = 1.0
    """Stands for `identity` in cross-person updates, if that is not 0. Nothing but D_e asks for the expression there:
    with the weights of the other updates "stay yourself" pulled twelve times as hard at the picture."""
    cross_expression: NotNegative = 2.0
    """λ_GAN of D_e in cross-person updates."""

    def __post_init__(self) -> None:
        check_bounds(self)


PATENT = LossWeights(
    patches=0.0,
    mouth=0.0,
    eyes=0.0,
    coarse=0.0,
    structure=0.0,
    texture=0.0,
    moved=0.0,
    smoothness=0.0,
    features=0.0,
    identity=0.0,
    landmarks=0.0,
    cycle=0.0,
    cross_embedding=0.0,
    cross_expression=LAMBDA_GAN,
)
"""The patent's loss and nothing else."""
