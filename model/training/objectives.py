"""Every loss of an update, by its name, from the networks and a batch: the formulas of `losses.py` put to work.

The terms of the patent keep the patent's names; those of `model/training/extra_losses.py` come beside them. `generator`
and `discriminators` are minimised; the other terms are their parts, before the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.networks.base import Generated, Motion, Sources
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.embedder import DlibEmbedder
from mien.model.networks.generator import Generator
from mien.model.training import extra_losses, losses
from mien.model.training.batches import CrossBatch, PairBatch
from mien.model.training.loss_weights import LossWeights
from mien.model.training.settings import TrainSettings
from mien.model.warping.face_chip import chips
from mien.model.warping.picture_size import at_size

Terms = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Networks:
    """All that takes part in the losses."""

    generator: Generator
    identity: IdentityDiscriminator
    expression: ExpressionDiscriminator
    embedder: DlibEmbedder | None
    """Of the identity term; None where its weights are not installed."""


def pretraining_terms(networks: Networks, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of both discriminators, on real photos alone.

    D_id gets all pairs of the batch at once: true where the people are the same, false elsewhere. D_e gets a photo with
    its own heatmap, against that of another photo of the same person and that of another person.
    """
    identity, expression = networks.identity, networks.expression
    first, second = identity.embed(torch.cat([batch.target, batch.source])).chunk(2)
    shape = (len(first), len(second), -1)
    logits = identity.judge(first[:, None].expand(shape), second[None].expand(shape))
    same = batch.identities[:, None] == batch.identities[None]
    own, others = batch.target_keypoints, (batch.source_keypoints, batch.target_keypoints.rolled())
    false = torch.cat([expression(batch.target, other.heatmaps) for other in others])
    matched = expression(batch.target, own.heatmaps)
    return {
        "pretrain_identity": losses.pretraining_loss(logits[same], logits[~same], settings.gan_loss),
        "pretrain_expression": losses.pretraining_loss(matched, false, settings.gan_loss),
    }


def photo_terms(networks: Networks, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of the generator while it learns from the target photos alone (λ_GAN = 0)."""
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    terms = _likeness_terms(networks, made, batch, settings)
    return {"generator": _weighted(terms, settings.weights), **terms}


def adversarial_terms(networks: Networks, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of all three networks. One pass through the discriminators serves both sides of the game."""
    identity, expression, loss = networks.identity, networks.expression, settings.gan_loss
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    heatmaps = batch.target_keypoints.heatmaps
    source, target = identity.embed(torch.cat([batch.source, batch.target])).chunk(2)
    identity_real, identity_drawn = (identity.judge(image, source) for image in (target, identity.embed(made.image)))
    matched, drawn = (expression.features(image, heatmaps) for image in (batch.target, made.image))
    real = matched if settings.expression_real_pair == "matched" else expression.features(batch.source, heatmaps)
    expression_real, expression_drawn = (expression.judge(features[-1]) for features in (real, drawn))
    terms = _likeness_terms(networks, made, batch, settings)
    terms |= {
        "generator_identity": losses.generator_identity_loss(identity_drawn, loss),
        "generator_expression": losses.generator_expression_loss(expression_drawn, loss),
    }
    if settings.weights.features:
        terms["generator_features"] = extra_losses.feature_distance(matched, drawn)
    if networks.embedder is not None and settings.weights.identity:
        points = batch.target_keypoints.points
        shown = (batch.target, points), (made.image, points)
        terms["generator_embedding"] = _embedding_term(networks.embedder, *shown, settings.identity_share)
    game = {
        "discriminator_identity": losses.identity_discriminator_loss(identity_real, identity_drawn, loss),
        "discriminator_expression": losses.expression_discriminator_loss(expression_real, expression_drawn, loss),
    }
    discriminators = game["discriminator_identity"] + game["discriminator_expression"]
    if settings.mismatched:
        foreign = expression(batch.target, batch.target_keypoints.rolled().heatmaps)
        strangers = identity.judge(target, source.roll(1, 0))[batch.identities != batch.identities.roll(1, 0)]
        game["mismatched_identity"] = losses.mismatch_loss(strangers, loss)
        game["mismatched_expression"] = losses.mismatch_loss(foreign, loss)
        mismatched = game["mismatched_identity"] + game["mismatched_expression"]
        discriminators = discriminators + settings.mismatched * mismatched
    return {"generator": _weighted(terms, settings.weights), **terms, "discriminators": discriminators, **game}


def cross_terms(networks: Networks, batch: CrossBatch, settings: TrainSettings) -> Terms:
    """Of the generator for another person's expression. There is no photo of the result, so both discriminators and the
    embedder judge it, and the way back to the source."""
    weights, loss = settings.weights, settings.gan_loss
    made = networks.generator(batch.sources, batch.target_keypoints, batch.source.shape[-1])
    identity, expression = networks.identity, networks.expression
    same = identity.judge(identity.embed(made.image), identity.embed(batch.source).detach())
    match = expression(made.image, batch.target_keypoints.heatmaps)
    terms = {
        "cross_identity": losses.generator_identity_loss(same, loss),
        "cross_expression": losses.generator_expression_loss(match, loss),
    }
    total = weights.gan * (terms["cross_identity"] + terms["cross_expression"])
    if weights.cycle:
        way_back = Sources.single(made.image, batch.target_keypoints)
        back = networks.generator(way_back, batch.source_keypoints, batch.source.shape[-1])
        terms["cross_cycle"] = losses.reconstruction_loss(batch.source, back.image)
        total = total + weights.cycle * terms["cross_cycle"]
    if networks.embedder is not None and weights.identity:
        shown = (batch.source, batch.source_keypoints.points), (made.image, batch.target_keypoints.points)
        terms["cross_embedding"] = _embedding_term(networks.embedder, *shown, settings.identity_share)
        total = total + weights.identity * terms["cross_embedding"]
    if made.motion is not None and weights.smoothness:
        terms["cross_smoothness"] = _variation(made.motion, batch.sources)
        total = total + weights.smoothness * terms["cross_smoothness"]
    return {"generator": total, **terms}


def _likeness_terms(networks: Networks, made: Generated, batch: PairBatch, settings: TrainSettings) -> Terms:
    """How the result differs from the target photo."""
    weights, points = settings.weights, batch.target_keypoints.points
    pixels = extra_losses.region_weights(points, made.image.shape[-1], weights.mouth, weights.eyes)
    terms = {"generator_l1": extra_losses.weighted_l1(batch.target, made.image, pixels)}
    if weights.coarse:
        target, drawn = (at_size(each, settings.generator.size_px) for each in (batch.target, made.image))
        terms["generator_coarse"] = extra_losses.coarse_l1(target, drawn)
    if weights.structure:
        terms["generator_structure"] = extra_losses.structure_loss(batch.target, made.image)
    if made.motion is not None and weights.moved:
        terms["generator_moved"] = _moved(made.motion, batch, pixels)
    if made.motion is not None and weights.smoothness:
        terms["generator_smoothness"] = _variation(made.motion, batch.sources)
    return terms


def _moved(motion: Motion, batch: PairBatch, pixels: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, ""]:
    """The weighted L1 of each moved source that is there."""
    there = batch.sources.present[:, :, None, None, None].to(pixels.dtype)
    target, weights = (
        torch.broadcast_to(each[:, None], motion.warped.shape[:2] + each.shape[1:]) for each in (batch.target, pixels)
    )
    return extra_losses.weighted_l1(target.flatten(0, 1), motion.warped.flatten(0, 1), (weights * there).flatten(0, 1))


def _variation(motion: Motion, sources: Sources) -> Float[Tensor, ""]:
    """Of the residual flows to sources that are there."""
    there = sources.present.to(motion.residual.dtype)
    flows = motion.residual * there[:, :, None, None, None]
    return extra_losses.flow_variation(flows.flatten(0, 1)) * (there.numel() / there.sum())


def _embedding_term(
    embedder: DlibEmbedder, photo: tuple[Tensor, Tensor], drawn: tuple[Tensor, Tensor], share: float
) -> Float[Tensor, ""]:
    """How far the faces of drawn images are from those of photos, both with their landmarks; of a share of them."""
    count = math.ceil(share * len(photo[0]))
    with torch.no_grad():
        expected = embedder(chips(photo[0][:count], photo[1][:count]))
    with torch.autocast(photo[0].device.type, enabled=False):  # an embedding is a sum of many small differences
        found = embedder(chips(drawn[0][:count].float(), drawn[1][:count]))
    return extra_losses.identity_loss(found, expected)


def _weighted(terms: Terms, weights: LossWeights) -> Float[Tensor, ""]:
    """The generator's loss from its terms: λ_GAN and λ_c of the patent, and the weights of the extra terms."""
    weight_of = {
        "generator_l1": weights.l1,
        "generator_coarse": weights.coarse,
        "generator_structure": weights.structure,
        "generator_moved": weights.moved,
        "generator_smoothness": weights.smoothness,
        "generator_identity": weights.gan,
        "generator_expression": weights.gan,
        "generator_features": weights.features,
        "generator_embedding": weights.identity,
    }
    return torch.stack([weight_of[name] * term for name, term in terms.items()]).sum()
