"""Every loss of an update, by its name, from the networks and a batch: the formulas of `model.losses` put to work."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from model import losses
from model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from model.networks.generator import Generator
from model.pairs import PairBatch
from model.settings import TrainSettings

Terms = dict[str, Float[Tensor, ""]]


def pretraining_terms(identity: IdentityDiscriminator, expression: ExpressionDiscriminator, batch: PairBatch) -> Terms:
    """Of both discriminators, on real photos alone.

    D_id gets all pairs of the batch at once: true where the people are the same, false elsewhere. D_e gets a photo with
    its own heatmap, against that of another photo of the same person and that of somebody else.
    """
    first, second = identity.embed(torch.cat([batch.target, batch.source])).chunk(2)
    shape = (len(first), len(second), -1)
    logits = identity.judge(first[:, None].expand(shape), second[None].expand(shape))
    same = batch.identities[:, None] == batch.identities[None]
    own, others = batch.target_keypoints, (batch.source_keypoints, batch.target_keypoints.rolled())
    false = torch.cat([expression(batch.target, other.heatmaps) for other in others])
    return {
        "pretrain_identity": losses.pretraining_loss(logits[same], logits[~same]),
        "pretrain_expression": losses.pretraining_loss(expression(batch.target, own.heatmaps), false),
    }


def photo_terms(generator: Generator, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of the generator while it learns from the target photos alone (λ_GAN = 0)."""
    drawn = generator(batch.source, batch.source_keypoints, batch.target_keypoints).image
    l1 = losses.reconstruction_loss(batch.target, drawn)
    return {"generator": settings.lambda_l1 * l1, "generator_l1": l1}


def adversarial_terms(
    generator: Generator,
    identity: IdentityDiscriminator,
    expression: ExpressionDiscriminator,
    batch: PairBatch,
    settings: TrainSettings,
) -> Terms:
    """Of all three networks. One pass through the discriminators serves both sides of the game."""
    drawn = generator(batch.source, batch.source_keypoints, batch.target_keypoints).image
    asked = batch.target_keypoints.heatmaps
    source, target = identity.embed(torch.cat([batch.source, batch.target])).chunk(2)
    identity_real, identity_drawn = (identity.judge(image, source) for image in (target, identity.embed(drawn)))
    real_photo = batch.target if settings.expression_real_pair == "matched" else batch.source
    expression_real, expression_drawn = (expression(image, asked) for image in (real_photo, drawn))
    fooled_identity = losses.generator_identity_loss(identity_drawn)
    fooled_expression = losses.generator_expression_loss(expression_drawn)
    l1 = losses.reconstruction_loss(batch.target, drawn)
    weights = (settings.lambda_gan, settings.lambda_l1)
    return {
        "generator": losses.generator_loss(fooled_identity, fooled_expression, l1, *weights),
        "generator_identity": fooled_identity,
        "generator_expression": fooled_expression,
        "generator_l1": l1,
        "discriminator_identity": losses.identity_discriminator_loss(identity_real, identity_drawn),
        "discriminator_expression": losses.expression_discriminator_loss(expression_real, expression_drawn),
    }
