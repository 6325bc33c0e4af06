"""The patent's losses, term by term. D stands for a likelihood, sigmoid(logit).

A discriminator maximises its L_D. Optimisers minimise, so the discriminator's loss here is -L_D. log D and log(1 - D)
are taken of logits by log-sigmoid, which stays finite where the likelihood rounds to 0 or 1. E[·] is the mean over the
batch (and over the positions where a discriminator answers for several).

The patent writes all adversarial terms with log D and log(1 - D) (`bce`). Two other scores of the same game can be
chosen instead; x is the logit:

                    of true pairs       of false pairs     of drawn pairs, by the generator
    bce             log D               log(1 - D)         log D
    hinge           -max(0, 1 - x)      -max(0, 1 + x)     x                Lim and Ye 2017
    least_squares   -(x - 1)²           -x²                -(x - 1)²        Mao et al. 2017
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mien.model.training.loss_weights import GanLoss

Where = Bool[Tensor, "*shape"]
"""Which logits count. To take them out of the others would be to wait until the device knows how many there are."""


def true_score(logits: Float[Tensor, "*shape"], loss: GanLoss = "bce", where: Where | None = None) -> Float[Tensor, ""]:
    """What a discriminator maximises on true pairs: E[log D], or its counterpart."""
    match loss:
        case "bce":
            return _mean(F.logsigmoid(logits), where)
        case "hinge":
            return -_mean(F.relu(1 - logits), where)
        case "least_squares":
            return -_mean((logits - 1).square(), where)


def false_score(
    logits: Float[Tensor, "*shape"], loss: GanLoss = "bce", where: Where | None = None
) -> Float[Tensor, ""]:
    """What a discriminator maximises on false pairs: E[log(1 - D)], or its counterpart."""
    match loss:
        case "bce":
            return _mean(F.logsigmoid(-logits), where)
        case "hinge":
            return -_mean(F.relu(1 + logits), where)
        case "least_squares":
            return -_mean(logits.square(), where)


def _mean(scores: Float[Tensor, "*shape"], where: Where | None) -> Float[Tensor, ""]:
    """E[·] over all, or over those that count; 0 if none do."""
    if where is None:
        return scores.mean() if scores.numel() else scores.sum()
    counted = torch.where(where, scores, torch.zeros_like(scores)).float().sum() / where.sum().clamp_min(1)
    return counted.to(scores.dtype)


def fooling_score(logits: Float[Tensor, "*shape"], loss: GanLoss = "bce") -> Float[Tensor, ""]:
    """What the generator maximises on its own pairs: E[log D] (the non-saturating form), or its counterpart."""
    return logits.mean() if loss == "hinge" else true_score(logits, loss)


EQUILIBRIUM: dict[GanLoss, float] = {"bce": 2 * math.log(2), "hinge": 2.0, "least_squares": 0.5}
"""-L_D of a discriminator that cannot tell drawn from real, the Nash equilibrium: D = 1/2, x = 0, x = 1/2."""


# --- First loss: D_id tells the real pair (I_t, I_s) from the drawn pair (Î_t, I_s) -----------------------------------
#     L_Did = E[ log D_id(I_t, I_s) + log(1 - D_id(Î_t, I_s)) ]


def identity_discriminator_loss(
    real: Float[Tensor, "*real"], drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce"
) -> Float[Tensor, ""]:
    """-L_Did from the logits of D_id(I_t, I_s) and D_id(Î_t, I_s)."""
    return -(true_score(real, loss) + false_score(drawn, loss))


# --- Second loss: D_e tells a real pair from the drawn pair (Î_t, L_t) -----------------------------------------------
#     L_De = E[ log D_e(real pair) + log(1 - D_e(Î_t, L_t)) ]      real pair: (I_t, L_t), or literally (I_s, L_t)


def expression_discriminator_loss(
    real: Float[Tensor, "*real"], drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce"
) -> Float[Tensor, ""]:
    """-L_De from the logits of D_e(real pair) and D_e(Î_t, L_t)."""
    return -(true_score(real, loss) + false_score(drawn, loss))


# --- Beside the patent's: D_p tells mouth and eyes of photos from those of drawn images ------------------------------
#     L_Dp = E[ log D_p(I) + log(1 - D_p(Î)) ]      over patches at the picture's own resolution


def patch_discriminator_loss(
    real: Float[Tensor, "*real"], drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce"
) -> Float[Tensor, ""]:
    """-L_Dp from the logits of D_p(I) and D_p(Î)."""
    return -(true_score(real, loss) + false_score(drawn, loss))


# --- Pretraining of either discriminator: pairs that belong together against pairs that do not ------------------------
#     E[ log D(true pair) + log(1 - D(false pair)) ]


def pretraining_loss(
    true: Float[Tensor, "*true"],
    false: Float[Tensor, "*false"],
    loss: GanLoss = "bce",
    where: tuple[Where, Where] | None = None,
) -> Float[Tensor, ""]:
    """-E[log D(true pair) + log(1 - D(false pair))] from the logits of true and false pairs; there may be none.

    `where`: which of both count.
    """
    of_true, of_false = where or (None, None)
    return -(true_score(true, loss, of_true) + false_score(false, loss, of_false))


# --- Both discriminators, while they play against the generator: real photos that do not match are false, too ---------
#     E[ log(1 - D(false pair)) ]      beside the losses above, with a weight; matching-aware as in Reed et al. 2016
#
# Without it they forget what they were pretrained for: drawn and real images differ without comparing any pair.


def mismatch_loss(
    false: Float[Tensor, "*false"], loss: GanLoss = "bce", where: Where | None = None
) -> Float[Tensor, ""]:
    """-E[log(1 - D(false pair))] from the logits of pairs of real photos that count; 0 if there are none."""
    return -false_score(false, loss, where)


# --- Generator: be taken for the same person, and for a match of the target's keypoints -------------------------------
#     L_GAN = E[ log D_id(Î_t, I_s) ] + E[ log D_e(Î_t, L_t) ]      maximised by G (the non-saturating form)


def generator_identity_loss(drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce") -> Float[Tensor, ""]:
    """-E[log D_id(Î_t, I_s)] from the logits."""
    return -fooling_score(drawn, loss)


def generator_expression_loss(drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce") -> Float[Tensor, ""]:
    """-E[log D_e(Î_t, L_t)] from the logits."""
    return -fooling_score(drawn, loss)


def generator_patch_loss(drawn: Float[Tensor, "*drawn"], loss: GanLoss = "bce") -> Float[Tensor, ""]:
    """-E[log D_p(Î)] from the logits."""
    return -fooling_score(drawn, loss)


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
