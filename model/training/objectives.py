"""Every loss of an update, by its name, from the networks and a batch: the formulas of `losses.py` put to work.

The terms of the patent keep the patent's names; those of `model/training/extra_losses.py` come beside them. `generator`
and `discriminators` are minimised; the other terms are their parts, before the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.base import Generated, Motion, Sources
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.embedder import DlibEmbedder
from mien.model.networks.generator import Generator
from mien.model.training import extra_losses, losses
from mien.model.training.batches import CrossBatch, PairBatch
from mien.model.training.loss_weights import GanLoss, LossWeights
from mien.model.training.negatives import Beside, swapped_pictures, where_changed
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
    """Of the identity term; None where there is none."""


def pretraining_terms(networks: Networks, batch: PairBatch, beside: Beside, settings: TrainSettings) -> Terms:
    """Of both discriminators, on real photos alone.

    D_id gets all pairs of the batch at once: true where the people are the same, false elsewhere. D_e gets a photo with
    its own keypoints, against those of another photo of the same person and those of another person. Then the pictures
    with swapped faces and the keypoints with a changed part, as in the game.
    """
    identity, expression, loss = networks.identity, networks.expression, settings.gan_loss
    first, second = identity.embed(torch.cat([batch.target, beside.others])).chunk(2)
    shape = (len(first), len(second), -1)
    logits = identity.judge(first[:, None].expand(shape), second[None].expand(shape))
    same = batch.identities[:, None] == batch.identities[None]
    own, others = batch.target_keypoints, (batch.sources.keypoints, batch.target_keypoints.rolled())
    false = torch.cat([expression(batch.target, other) for other in others])
    matched = expression(batch.target, own)
    terms = {
        "pretrain_identity": losses.pretraining_loss(logits[same], logits[~same], loss),
        "pretrain_expression": losses.pretraining_loss(matched, false, loss),
    }
    if settings.discriminators.swapped:
        own_faces = (batch.sources.photo, batch.sources.keypoints)
        terms["pretrain_swapped"] = _swapped_term(
            networks, (batch.target, own), own_faces, batch.identities, second, loss
        )
    if beside.changed is not None:
        terms["pretrain_changed"] = _changed_term(networks, batch.target, own, matched, beside.changed, loss)
    return terms


def _swapped_term(
    networks: Networks,
    photos: tuple[Tensor, KeypointInfo],
    own: tuple[Tensor, KeypointInfo],
    identities: Tensor,
    others: Float[Tensor, "batch features"],
    loss: GanLoss,
) -> Float[Tensor, ""]:
    """D_id on photos with swapped faces, each beside the embedding of another photo of its person."""
    swapped = swapped_pictures((photos[0], photos[1].points), own, identities)
    logits = networks.identity.judge(networks.identity.embed(swapped.images), others)
    return losses.contrast_loss(logits[swapped.own], logits[~swapped.own], loss)


def _changed_term(
    networks: Networks,
    photos: Tensor,
    own: KeypointInfo,
    matched: Float[Tensor, "batch positions"],
    changed: KeypointInfo,
    loss: GanLoss,
) -> Float[Tensor, ""]:
    """D_e on photos with their own keypoints, against those with a changed part, where the two differ."""
    where = where_changed(own.heatmaps, changed.heatmaps, matched.shape[1])
    return losses.contrast_loss(matched[where], networks.expression(photos, changed)[where], loss)


def photo_terms(networks: Networks, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of the generator while it learns from the target photos alone (λ_GAN = 0)."""
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    terms = _likeness_terms(networks, made, batch, settings)
    return {"generator": _weighted(terms, settings.weights), **terms}


def adversarial_terms(networks: Networks, batch: PairBatch, beside: Beside, settings: TrainSettings) -> Terms:
    """Of all three networks. One pass through the discriminators serves both sides of the game."""
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    shown = _Shown(
        batch.target, batch.target_keypoints, (batch.sources.photo, batch.sources.keypoints), batch.identities
    )
    literal = batch.sources.photo if settings.expression_real_pair == "literal" else None
    judged = _judged(networks, shown, (made.image, batch.target_keypoints), beside, settings, literal)
    terms = _likeness_terms(networks, made, batch, settings)
    terms |= {
        "generator_identity": losses.generator_identity_loss(judged.identity, settings.gan_loss),
        "generator_expression": losses.generator_expression_loss(judged.expression, settings.gan_loss),
    }
    if settings.weights.features:
        terms["generator_features"] = extra_losses.feature_distance(judged.photo_features, judged.drawn_features)
    if networks.embedder is not None and settings.weights.identity:
        points = batch.target_keypoints.points
        faces = (batch.target, points), (made.image, points)
        terms["generator_embedding"] = _embedding_term(networks.embedder, *faces, settings.identity_share)
    return {"generator": _weighted(terms, settings.weights), **terms, **judged.game}


def cross_terms(networks: Networks, batch: CrossBatch, beside: Beside, settings: TrainSettings) -> Terms:
    """For another person's expression. There is no photo of the result, so both discriminators and the embedder judge
    it, and the way back to the source. The real pairs of the discriminators are of the source photo."""
    weights, loss = settings.weights, settings.gan_loss
    made = networks.generator(batch.sources, batch.target_keypoints, batch.sources.photo.shape[-1])
    own = batch.sources.photo, batch.sources.keypoints
    shown = _Shown(batch.sources.photo, batch.sources.keypoints, own, batch.identities)
    judged = _judged(networks, shown, (made.image, batch.target_keypoints), beside, settings)
    terms = {
        "cross_identity": losses.generator_identity_loss(judged.identity, loss),
        "cross_expression": losses.generator_expression_loss(judged.expression, loss),
    }
    if weights.cycle:
        way_back = Sources.single(made.image, batch.target_keypoints)
        back = networks.generator(way_back, batch.sources.keypoints, batch.sources.photo.shape[-1])
        terms["cross_cycle"] = losses.reconstruction_loss(batch.sources.photo, back.image)
    if networks.embedder is not None and weights.identity and weights.cross_embedding:
        faces = (batch.sources.photo, batch.sources.keypoints.points), (made.image, batch.target_keypoints.points)
        terms["cross_embedding"] = _embedding_term(networks.embedder, *faces, settings.identity_share)
    if made.motion is not None and weights.smoothness:
        terms["cross_smoothness"] = _variation(made.motion, batch.sources)
    game = judged.game if settings.discriminators.cross else {}
    return {"generator": _weighted(terms, weights), **terms, **game}


class _Shown(NamedTuple):
    """Real photos, as the discriminators judge them."""

    photos: Float[Tensor, "batch 3 size size"]
    keypoints: KeypointInfo
    own: tuple[Float[Tensor, "batch 3 size size"], KeypointInfo]
    """Other photos of the same people, or the same ones."""
    identities: Int[Tensor, " batch"]


class _Judged(NamedTuple):
    """What the discriminators say of drawn images, and their own loss."""

    identity: Float[Tensor, " batch"]
    expression: Float[Tensor, "batch positions"]
    photo_features: list[Tensor]
    drawn_features: list[Tensor]
    game: Terms


def _judged(
    networks: Networks,
    shown: _Shown,
    drawn: tuple[Float[Tensor, "batch 3 size size"], KeypointInfo],
    beside: Beside,
    settings: TrainSettings,
    literal: Float[Tensor, "batch 3 size size"] | None = None,
) -> _Judged:
    """Real and drawn pairs; `literal`: the photos of D_e's real pair, if they are not those of the keypoints."""
    identity, expression, loss, wanted = (
        networks.identity,
        networks.expression,
        settings.gan_loss,
        settings.discriminators,
    )
    others, photos = identity.embed(torch.cat([beside.others, shown.photos])).chunk(2)
    same, same_drawn = identity.judge(photos, others), identity.judge(identity.embed(drawn[0]), others)
    features, features_drawn = expression.features(shown.photos, shown.keypoints), expression.features(*drawn)
    matched, match_drawn = expression.judge(features[-1]), expression.judge(features_drawn[-1])
    real = matched if literal is None else expression(literal, shown.keypoints)
    game = {
        "discriminator_identity": losses.identity_discriminator_loss(same, same_drawn, loss),
        "discriminator_expression": losses.expression_discriminator_loss(real, match_drawn, loss),
    }
    weight_of = dict.fromkeys(game, 1.0)
    if settings.mismatched:
        foreign = expression(shown.photos, shown.keypoints.rolled())
        strangers = identity.judge(photos, others.roll(1, 0))[shown.identities != shown.identities.roll(1, 0)]
        game["mismatched_identity"] = losses.mismatch_loss(strangers, loss)
        game["mismatched_expression"] = losses.mismatch_loss(foreign, loss)
        weight_of |= {"mismatched_identity": settings.mismatched, "mismatched_expression": settings.mismatched}
    if wanted.swapped:
        game["swapped_identity"] = _swapped_term(
            networks, (shown.photos, shown.keypoints), shown.own, shown.identities, others, loss
        )
        weight_of["swapped_identity"] = wanted.swapped
    if beside.changed is not None:
        game["changed_expression"] = _changed_term(
            networks, shown.photos, shown.keypoints, matched, beside.changed, loss
        )
        weight_of["changed_expression"] = wanted.changed_parts
    total = torch.stack([weight_of[name] * term for name, term in game.items()]).sum()
    return _Judged(same_drawn, match_drawn, features, features_drawn, {"discriminators": total, **game})


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
    with torch.autocast(photo[0].device.type, enabled=False):  # an embedding is a sum of many small differences
        with torch.no_grad():
            expected = embedder(chips(photo[0][:count].float(), photo[1][:count]))
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
        "cross_identity": weights.gan,
        "cross_expression": weights.cross_expression,
        "cross_cycle": weights.cycle,
        "cross_embedding": weights.cross_embedding,
        "cross_smoothness": weights.smoothness,
    }
    return torch.stack([weight_of[name] * term for name, term in terms.items()]).sum()
