"""What the discriminators know of people whom they never saw: areas under ROC curves, 1/2 is chance.

| name | true pairs | false pairs |
|---|---|---|
| `identity_auc` | two photos of one person, each placed and lit for itself | photos of two people |
| `identity_auc_swapped` | the same | a photo with somebody else's face pasted in, and one of the person around it |
| `identity_auc_drawn` | two photos of one person | a drawn face and the photo of the person |
| `expression_auc` | a photo and its own heatmap | a photo and that of another photo |
| `expression_auc_lids`, `_mouth`, `_brows`, `_gaze` | the same | a photo and its heatmap with this part changed |
| `expression_auc_drawn` | the same | a drawn face and the heatmap asked for |
| `patches_auc_drawn` | mouth and eyes of photos | those of drawn faces |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.model.evaluation import metrics
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.expression.part_changes import changeable
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.patch_discriminator import PatchDiscriminator
from mien.model.training.augmentation import draw_changes
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.negatives import changed_keypoints
from mien.model.training.networks import Networks
from mien.model.training.settings import AugmentationSettings
from mien.model.warping.face_swap import swapped_faces

BATCH = 16
SEED = 20200108
"""Of all that is drawn here: always the same for the same faces."""

Rows = Int[np.ndarray, " rows"]
Logits = Float[np.ndarray, "..."]


def identity_auc(discriminator: IdentityDiscriminator, faces: FaceArrays, augmentation: AugmentationSettings) -> float:
    """D_id over all pairs of different photos. The second photo of each pair is changed by a drawn augmentation.

    NaN where the faces hold no pair of one of the two sorts.
    """
    device = next(discriminator.parameters()).device
    changes = draw_changes(augmentation, len(faces), np.random.default_rng(SEED), device)
    with torch.inference_mode():
        plain = torch.cat([discriminator.embed(faces.photos(rows, device)) for rows in _batches(len(faces))])
        changed = torch.cat(
            [discriminator.embed(changes.of(rows).photos(faces.photos(rows, device))) for rows in _batches(len(faces))]
        )
        logits = np.stack([discriminator.judge(changed, one.expand_as(changed)).cpu().numpy() for one in plain])
    same = faces.identities[:, None] == faces.identities[None]
    return metrics.auc(logits[same & ~np.eye(len(faces), dtype=bool)], logits[~same])


def swapped_auc(discriminator: IdentityDiscriminator, faces: FaceArrays, pairs: int) -> float:
    """D_id on photos of one person against such a pair of which one photo has somebody else's face.

    NaN where the faces are of one person.
    """
    others, photos = same_person_pairs(faces.identities, pairs, SEED)
    own, swapped = swapped_logits(discriminator, faces, others, photos)
    return metrics.auc(own, swapped)


def swapped_logits(
    discriminator: IdentityDiscriminator, faces: FaceArrays, others: Rows, photos: Rows
) -> tuple[Logits, Logits]:
    """Of each photo beside another one of its person: as it is, and with the face of somebody else of the faces."""
    device, found = next(discriminator.parameters()).device, ([], [])
    with torch.inference_mode():
        for rows in _batches(len(photos)):
            known = [_stranger(faces, row, n) for n, row in zip(rows.tolist(), photos[rows].tolist(), strict=True)]
            keep = [n for n, row in enumerate(known) if row is not None]
            strangers = np.array([row for row in known if row is not None], np.int64)
            if not keep:
                continue
            beside = discriminator.embed(faces.photos(others[rows][keep], device))
            images, points = _with_points(faces, photos[rows][keep], device)
            pasted = swapped_faces(images, points, *_with_points(faces, strangers, device))
            for logits, shown in zip(found, (images, pasted), strict=True):
                logits.append(discriminator.judge(discriminator.embed(shown), beside).cpu().numpy())
    own, swapped = (np.concatenate([np.zeros(0, np.float32), *logits]) for logits in found)
    return own, swapped


def expression_auc(discriminator: ExpressionDiscriminator, faces: FaceArrays) -> float:
    """D_e: each photo with its own keypoints against that with another photo's."""
    shifts = np.random.default_rng(SEED).integers(1, len(faces), len(faces))
    rows = np.arange(len(faces))
    own = expression_logits(discriminator, faces.photos(rows), faces.keypoints(rows))
    foreign = expression_logits(discriminator, faces.photos(rows), faces.keypoints((rows + shifts) % len(faces)))
    return metrics.auc(own, foreign)


def part_aucs(discriminator: ExpressionDiscriminator, faces: FaceArrays, pairs: int) -> dict[str, float]:
    """D_e by part: each photo with its own keypoints against these with one part changed."""
    _, rows = same_person_pairs(faces.identities, pairs, SEED)
    photos = faces.photos(rows)
    own = expression_logits(discriminator, photos, faces.keypoints(rows))
    out: dict[str, float] = {}
    for part in changeable(faces.scheme):
        keypoints = changed_keypoints(faces, rows, [part] * len(rows), np.random.default_rng(SEED))
        out[f"expression_auc_{part}"] = metrics.auc(own, expression_logits(discriminator, photos, keypoints))
    return out


def drawn_aucs(
    networks: Networks,
    faces: FaceArrays,
    pairs: tuple[Rows, Rows],
    drawn: Float[Tensor, "pairs 3 size size"],
) -> dict[str, float]:
    """All on the real pairs of the game against the drawn ones; `pairs` are the sources and the targets."""
    identity, expression, patches = networks.identity, networks.expression, networks.patches
    source, target = pairs
    photos, keypoints = faces.photos(target), faces.keypoints(target)
    device = next(identity.parameters()).device
    with torch.inference_mode():
        same, drawn_same = (
            np.concatenate(
                [
                    identity(shown[rows].to(device), faces.photos(source[rows], device)).cpu().numpy()
                    for rows in _batches(len(source))
                ]
            )
            for shown in (photos, drawn)
        )
    matched, drawn_matched = (expression_logits(expression, shown, keypoints) for shown in (photos, drawn))
    found = {
        "identity_auc_drawn": metrics.auc(same, drawn_same),
        "expression_auc_drawn": metrics.auc(matched, drawn_matched),
    }
    if patches is not None:
        real, made = (patch_logits(patches, shown, keypoints.points) for shown in (photos, drawn))
        found["patches_auc_drawn"] = metrics.auc(real, made)
    return found


def patch_logits(
    discriminator: PatchDiscriminator,
    images: Float[Tensor, "rows 3 size size"],
    points: Float[Tensor, "rows 68 2"],
) -> Logits:
    """Mean logit of D_p over its positions, of each patch."""
    device = next(discriminator.parameters()).device
    with torch.inference_mode():
        logits = [
            discriminator(images[rows].to(device), points[rows].to(device)).mean(1) for rows in _batches(len(images))
        ]
    return torch.cat(logits).float().cpu().numpy()


def expression_logits(
    discriminator: ExpressionDiscriminator, images: Float[Tensor, "rows 3 size size"], keypoints: KeypointInfo
) -> Logits:
    """Mean logit of D_e over its positions, of each image."""
    device = next(discriminator.parameters()).device
    with torch.inference_mode():
        logits = [
            discriminator(images[rows].to(device), KeypointInfo(*(of_all[rows].to(device) for of_all in keypoints)))
            for rows in _batches(len(images))
        ]
    return torch.cat(logits).mean(1).float().cpu().numpy()


def _with_points(
    faces: FaceArrays, rows: Rows, device: torch.device
) -> tuple[Float[Tensor, "rows 3 size size"], Float[Tensor, "rows 68 2"]]:
    return faces.photos(rows, device), torch.from_numpy(faces.points[rows]).float().to(device)


def _stranger(faces: FaceArrays, row: int, turn: int) -> int | None:
    """A face of somebody else; None where there is nobody else."""
    others = np.flatnonzero(faces.identities != faces.identities[row])
    return int(others[turn * 7919 % len(others)]) if len(others) else None


def _batches(count: int) -> Sequence[Rows]:
    return [np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
