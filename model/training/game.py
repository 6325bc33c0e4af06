"""The discriminators' side of an update: what they judge, and their own losses.

The terms of the patent keep the patent's names. `Judged.game` holds what the discriminators minimise.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.training import extra_losses, losses
from mien.model.training.batches import PairBatch
from mien.model.training.loss_weights import GanLoss
from mien.model.training.negatives import Beside, swapped_pictures, where_changed
from mien.model.training.networks import Networks
from mien.model.training.settings import TrainSettings

Terms = dict[str, Float[Tensor, ""]]


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
        "pretrain_identity": losses.pretraining_loss(logits, logits, loss, (same, ~same)),
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


class Shown(NamedTuple):
    """Real photos, as the discriminators judge them."""

    photos: Float[Tensor, "batch 3 size size"]
    keypoints: KeypointInfo
    own: tuple[Float[Tensor, "batch 3 size size"], KeypointInfo]
    """Other photos of the same people, or the same ones."""
    identities: Int[Tensor, " batch"]


class Judged(NamedTuple):
    """What the discriminators say of drawn images, and their own loss."""

    identity: Float[Tensor, " batch"]
    expression: Float[Tensor, "batch positions"]
    patches: Float[Tensor, "patches places"] | None
    """None where D_p has no part."""
    features: Float[Tensor, ""]
    """How far what D_e and D_p see of the drawn images is from what they see of the photos."""
    game: Terms


def judge(
    networks: Networks,
    shown: Shown,
    drawn: tuple[Float[Tensor, "batch 3 size size"], KeypointInfo],
    beside: Beside,
    settings: TrainSettings,
    literal: Float[Tensor, "batch 3 size size"] | None = None,
) -> Judged:
    """Real and drawn pairs; `literal`: the photos of D_e's real pair, if they are not those of the keypoints."""
    identity, expression, loss, wanted = (
        networks.identity,
        networks.expression,
        settings.gan_loss,
        settings.discriminators,
    )
    others, photos = identity.embed(torch.cat([beside.others, shown.photos])).chunk(2)
    same, same_drawn = identity.judge(photos, others), identity.judge(identity.embed(drawn[0]), others)
    seen, seen_drawn = expression.features(shown.photos, shown.keypoints), expression.features(*drawn)
    matched, match_drawn = expression.judge(seen[-1]), expression.judge(seen_drawn[-1])
    distances = [extra_losses.feature_distance(seen, seen_drawn)]
    real = matched if literal is None else expression(literal, shown.keypoints)
    game = {
        "discriminator_identity": losses.identity_discriminator_loss(same, same_drawn, loss),
        "discriminator_expression": losses.expression_discriminator_loss(real, match_drawn, loss),
    }
    patches_drawn = None
    if networks.patches is not None:
        seen, seen_drawn = (
            networks.patches.features(images, keypoints.points)
            for images, keypoints in ((shown.photos, shown.keypoints), drawn)
        )
        patches_drawn = networks.patches.judge(seen_drawn[-1])
        distances.append(extra_losses.feature_distance(seen, seen_drawn))
        game["discriminator_patches"] = losses.patch_discriminator_loss(
            networks.patches.judge(seen[-1]), patches_drawn, loss
        )
    weight_of = dict.fromkeys(game, 1.0)
    if settings.mismatched:
        foreign = expression(shown.photos, shown.keypoints.rolled())
        strangers = identity.judge(photos, others.roll(1, 0))
        game["mismatched_identity"] = losses.mismatch_loss(
            strangers, loss, shown.identities != shown.identities.roll(1, 0)
        )
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
    features = torch.stack(distances).mean()
    return Judged(same_drawn, match_drawn, patches_drawn, features, {"discriminators": total, **game})


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
    return losses.pretraining_loss(logits, logits, loss, (swapped.own, ~swapped.own))


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
    return losses.pretraining_loss(matched, networks.expression(photos, changed), loss, (where, where))
