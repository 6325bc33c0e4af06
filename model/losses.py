"""The application's losses, term by term. D stands for a likelihood, sigmoid(logit).

A discriminator maximises its L_D; optimisers minimise, so its loss here is -L_D. log D and log(1 - D) are taken of
logits by log-sigmoid, which stays finite where the likelihood rounds to 0 or 1. E[·] is the mean over the batch (and
over the places where a discriminator answers for several).
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

RealPair = Literal["matched", "literal"]
"""The real pair of the second loss: the matched (I_t, L_t), or (I_s, L_t) as the application writes it."""

LAMBDA_GAN = 0.5
"""λ_GAN of the application."""
LAMBDA_L1 = 1.0
"""λ_c of the application."""


def log_likelihood(logits: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """E[log D]."""
    return F.logsigmoid(logits).mean()


def log_unlikelihood(logits: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """E[log(1 - D)]."""
    return F.logsigmoid(-logits).mean()


# --- First loss: D_id tells the real pair (I_t, I_s) from the drawn pair (Î_t, I_s) -----------------------------------
#     L_Did = E[ log D_id(I_t, I_s) + log(1 - D_id(Î_t, I_s)) ]


def identity_discriminator_loss(real: Float[Tensor, "*real"], drawn: Float[Tensor, "*drawn"]) -> Float[Tensor, ""]:
    """-L_Did from the logits of D_id(I_t, I_s) and D_id(Î_t, I_s)."""
    return -(log_likelihood(real) + log_unlikelihood(drawn))


# --- Second loss: D_e tells a real pair from the drawn pair (Î_t, L_t) -----------------------------------------------
#     L_De = E[ log D_e(real pair) + log(1 - D_e(Î_t, L_t)) ]      real pair: (I_t, L_t), or literally (I_s, L_t)


def expression_discriminator_loss(real: Float[Tensor, "*real"], drawn: Float[Tensor, "*drawn"]) -> Float[Tensor, ""]:
    """-L_De from the logits of D_e(real pair) and D_e(Î_t, L_t)."""
    return -(log_likelihood(real) + log_unlikelihood(drawn))


# --- Pretraining of either discriminator: pairs that belong together against pairs that do not ------------------------
#     E[ log D(true pair) + log(1 - D(false pair)) ]


def pretraining_loss(true: Float[Tensor, "*true"], false: Float[Tensor, "*false"]) -> Float[Tensor, ""]:
    """Negative of the formula above, from the logits of true and false pairs."""
    return -(log_likelihood(true) + log_unlikelihood(false))


# --- Generator: be taken for the same person, and for a match of the target's keypoints -------------------------------
#     L_GAN = E[ log D_id(Î_t, I_s) ] + E[ log D_e(Î_t, L_t) ]      maximised by G (the non-saturating form)


def generator_identity_loss(drawn: Float[Tensor, "*drawn"]) -> Float[Tensor, ""]:
    """-E[log D_id(Î_t, I_s)] from the logits."""
    return -log_likelihood(drawn)


def generator_expression_loss(drawn: Float[Tensor, "*drawn"]) -> Float[Tensor, ""]:
    """-E[log D_e(Î_t, L_t)] from the logits."""
    return -log_likelihood(drawn)


# --- Generator: look like the target photo ----------------------------------------------------------------------------
#     ‖I_t - Î_t‖₁
#
# Summed over all pixels, as the norm is written, its weight against L_GAN would grow with the image's size; as a plain
# mean it would vanish beside it, and faces come out as noise. It is taken as the mean in hundredths: the weight that a
# mean L1 has beside an adversarial loss in Isola et al. 2017.

L1_UNIT = 1 / 100
"""A mean difference of this much (images in [-1, 1]) counts as 1."""


def reconstruction_loss(
    target: Float[Tensor, "batch 3 size size"], drawn: Float[Tensor, "batch 3 size size"]
) -> Float[Tensor, ""]:
    """Mean absolute difference of images in [-1, 1], in units of L1_UNIT."""
    return F.l1_loss(drawn, target) / L1_UNIT


# --- Generator, all together ------------------------------------------------------------------------------------------
#     L = λ_GAN · L_GAN + λ_c · ‖I_t - Î_t‖₁


def generator_loss(
    identity: Float[Tensor, ""],
    expression: Float[Tensor, ""],
    reconstruction: Float[Tensor, ""],
    lambda_gan: float = LAMBDA_GAN,
    lambda_l1: float = LAMBDA_L1,
) -> Float[Tensor, ""]:
    """L, to be minimised, from the three terms above."""
    return lambda_gan * (identity + expression) + lambda_l1 * reconstruction
