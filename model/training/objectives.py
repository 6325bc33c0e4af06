"""Every loss of an update, by its name, from the networks and a batch: the formulas of `losses.py` put to work.

The terms of the patent keep the patent's names; those of `model/training/extra_losses.py` come beside them. `generator`
and `discriminators` are minimised; the other terms are their parts, before the weights.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.networks.base import Generated, Motion, Sources
from mien.model.networks.embedder import DlibEmbedder
from mien.model.training import extra_losses, losses
from mien.model.training.batches import CrossBatch, PairBatch
from mien.model.training.game import Shown, Terms, judge
from mien.model.training.loss_weights import LossWeights
from mien.model.training.negatives import Beside
from mien.model.training.networks import Networks
from mien.model.training.settings import TrainSettings
from mien.model.training.shown_landmarks import asked_distance, shown_distance
from mien.model.warping.face_chip import chips
from mien.model.warping.picture_size import at_size


def photo_terms(networks: Networks, batch: PairBatch, settings: TrainSettings) -> Terms:
    """Of the generator while it learns from the target photos alone (λ_GAN = 0)."""
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    terms = _likeness_terms(networks, made, batch, settings)
    return {"generator": _weighted(terms, settings.weights), **terms}


def adversarial_terms(networks: Networks, batch: PairBatch, beside: Beside, settings: TrainSettings) -> Terms:
    """Of all networks. One pass through the discriminators serves both sides of the game."""
    made = networks.generator(batch.sources, batch.target_keypoints, batch.target.shape[-1])
    shown = Shown(
        batch.target, batch.target_keypoints, (batch.sources.photo, batch.sources.keypoints), batch.identities
    )
    literal = batch.sources.photo if settings.expression_real_pair == "literal" else None
    judged = judge(networks, shown, (made.image, batch.target_keypoints), beside, settings, literal)
    terms = _likeness_terms(networks, made, batch, settings)
    terms |= {
        "generator_identity": losses.generator_identity_loss(judged.identity, settings.gan_loss),
        "generator_expression": losses.generator_expression_loss(judged.expression, settings.gan_loss),
    }
    if judged.patches is not None:
        terms["generator_patches"] = losses.generator_patch_loss(judged.patches, settings.gan_loss)
    if settings.weights.features:
        terms["generator_features"] = judged.features
    if networks.embedder is not None and settings.weights.identity:
        points = batch.target_keypoints.points
        faces = (batch.target, points), (made.image, points)
        terms["generator_embedding"] = _embedding_term(networks.embedder, *faces, settings.identity_share)
    if networks.mesh is not None:
        some = slice(math.ceil(settings.landmark_share * len(made.image)))
        faces = batch.target[some], made.image[some]
        terms["generator_landmarks"] = shown_distance(networks.mesh, *faces, batch.target_keypoints.points[some])
    return {"generator": _weighted(terms, settings.weights), **terms, **judged.game}


def cross_terms(networks: Networks, batch: CrossBatch, beside: Beside, settings: TrainSettings) -> Terms:
    """For another person's expression. There is no photo of the result, so both discriminators and the embedder judge
    it, and the way back to the source. The real pairs of the discriminators are of the source photo."""
    weights, loss = settings.weights, settings.gan_loss
    made = networks.generator(batch.sources, batch.target_keypoints, batch.sources.photo.shape[-1])
    own = batch.sources.photo, batch.sources.keypoints
    shown = Shown(batch.sources.photo, batch.sources.keypoints, own, batch.identities)
    judged = judge(networks, shown, (made.image, batch.target_keypoints), beside, settings)
    terms = {
        "cross_identity": losses.generator_identity_loss(judged.identity, loss),
        "cross_expression": losses.generator_expression_loss(judged.expression, loss),
    }
    if judged.patches is not None:
        terms["cross_patches"] = losses.generator_patch_loss(judged.patches, loss)
    if weights.cycle:
        way_back = Sources.single(made.image, batch.target_keypoints)
        back = networks.generator(way_back, batch.sources.keypoints, batch.sources.photo.shape[-1])
        terms["cross_cycle"] = losses.reconstruction_loss(batch.sources.photo, back.image)
    if networks.embedder is not None and weights.identity and weights.cross_embedding:
        faces = (batch.sources.photo, batch.sources.keypoints.points), (made.image, batch.target_keypoints.points)
        terms["cross_embedding"] = _embedding_term(networks.embedder, *faces, settings.identity_share)
    if networks.mesh is not None:
        some = slice(math.ceil(settings.landmark_share * len(made.image)))
        source = batch.sources.photo[some], batch.sources.keypoints.points[some]
        terms["cross_landmarks"] = asked_distance(
            networks.mesh, source, made.image[some], batch.target_keypoints.points[some]
        )
    if made.motion is not None and weights.smoothness:
        terms["cross_smoothness"] = _variation(made.motion, batch.sources)
    game = judged.game if settings.discriminators.cross else {}
    return {"generator": _weighted(terms, weights), **terms, **game}


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
    if weights.texture:
        terms["generator_texture"] = extra_losses.texture_loss(batch.target, made.image)
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
        "generator_texture": weights.texture,
        "generator_moved": weights.moved,
        "generator_smoothness": weights.smoothness,
        "generator_identity": weights.gan,
        "generator_expression": weights.gan,
        "generator_patches": weights.patches,
        "generator_features": weights.features,
        "generator_embedding": weights.identity,
        "cross_identity": weights.gan,
        "cross_expression": weights.cross_expression,
        "cross_patches": weights.patches,
        "cross_cycle": weights.cycle,
        "cross_embedding": weights.cross_embedding,
        "generator_landmarks": weights.landmarks,
        "cross_landmarks": weights.landmarks,
        "cross_smoothness": weights.smoothness,
    }
    return torch.stack([weight_of[name] * term for name, term in terms.items()]).sum()
