"""What the discriminators judge beside the pairs of a batch: real photos and landmarks that nearly belong together.

For D_id another photo of each person, changed by an augmentation of its own, so that light and placement do not tell
who is who; and pictures into which somebody else's face was pasted, so that hair and background do not either. For D_e
the landmarks of a photo with one part changed, so that it looks at every part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.model.expression.part_changes import ChangedPart, changeable, with_changed_part
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmaps import redraw_heatmaps
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.landmarks.schemes import to_common
from mien.model.training.augmentation import draw_changes
from mien.model.training.batches import CrossBatch, Origin, PairBatch, PairSampler
from mien.model.training.face_arrays import FaceArrays, keypoints_on
from mien.model.training.settings import TrainSettings
from mien.model.warping.face_swap import swapped_faces

_CHANGED = 0.1
"""Difference of two heatmaps that shows."""


class Beside(NamedTuple):
    """What belongs to a batch for the discriminators alone."""

    others: Float[Tensor, "batch 3 size size"]
    """I_s as D_id gets it, in [-1, 1]."""
    changed: KeypointInfo | None
    """The keypoints of the real photos with one part changed; None where D_e does not learn from such."""


class Part(NamedTuple):
    """Of the batch of an update."""

    batch: PairBatch | CrossBatch
    beside: Beside | None
    """What the discriminators see beside it; None where they take no part, or there is nothing to see."""


def draw_beside(sampler: PairSampler, batch: PairBatch | CrossBatch, settings: TrainSettings) -> Beside:
    """Drawn by the sampler's random generator, on the device of the batch."""
    device, origin, wanted = batch.sources.photo.device, batch.origin, settings.discriminators
    others = batch.sources.photo
    if wanted.own_augmentation or wanted.third_photo:
        rows = _third_photos(sampler, origin) if wanted.third_photo else origin.sources[:, 0]
        changes = origin.changes
        if wanted.own_augmentation:
            changes = draw_changes(sampler.augmentation, len(rows), sampler.random, device)
        others = changes.photos(sampler.faces.photos(rows, device))
    changed = None
    if wanted.changed_parts:
        parts = [sampler.random.choice(changeable(sampler.faces.scheme)) for _ in origin.photos]
        keypoints = changed_keypoints(sampler.faces, origin.photos, parts, sampler.random, device)
        changed = origin.changes.keypoints(keypoints)
    return Beside(others, changed)


def _third_photos(sampler: PairSampler, origin: Origin) -> Int[np.ndarray, " batch"]:
    """A photo of each person that is neither the target nor a source; the first source where there is none."""
    identities = sampler.faces.identities
    out = origin.sources[:, 0].copy()
    for n, (photo, sources) in enumerate(zip(origin.photos, origin.sources, strict=True)):
        left = np.setdiff1d(sampler.photos_of(int(identities[photo])), [photo, *sources])
        if len(left):
            out[n] = sampler.random.choice(left)
    return out


def changed_keypoints(
    faces: FaceArrays,
    rows: Int[np.ndarray, " rows"],
    parts: list[ChangedPart],
    random: np.random.Generator,
    device: torch.device | str = "cpu",
) -> KeypointInfo:
    """L of the given rows with one part changed each, by another photo of the person or by a drawn amount."""
    landmarks: list[np.ndarray] = []
    for row, part in zip(rows.tolist(), parts, strict=True):
        own = np.flatnonzero(faces.identities == faces.identities[row])
        other = random.choice(own[own != row]) if len(own) > 1 else row
        landmarks.append(with_changed_part(faces.landmarks[row], faces.landmarks[other], faces.scheme, part, random))
    spec, changed = faces.spec, np.stack(landmarks)
    former_px, changed_px = (to_px(of, spec.size_px) for of in (faces.landmarks[rows].astype(np.float64), changed))
    heatmaps = redraw_heatmaps(faces.heatmaps[rows], former_px, changed_px, faces.scheme, spec.size_px, spec)
    return keypoints_on(device, heatmaps, to_common(changed, faces.scheme))


class Swapped(NamedTuple):
    """Pictures with another face in them."""

    images: Float[Tensor, "batch 3 size size"]
    own: Bool[Tensor, " batch"]
    """Whether the face is the person's own, from another photo, mirrored: so that seams do not tell a strange face."""


def swapped_pictures(
    photos: tuple[Float[Tensor, "batch 3 size size"], Float[Tensor, "batch 68 2"]],
    own: tuple[Float[Tensor, "batch 3 size size"], KeypointInfo],
    identities: Int[Tensor, " batch"],
) -> Swapped:
    """The first half of the photos with the faces of their neighbours, the others with faces of their own people.

    Args:
        photos: With their landmarks.
        own: Other photos of the same people, with their keypoints.
        identities: Of the people.
    """
    images, points = photos
    strange = torch.arange(len(images), device=images.device) < (len(images) + 1) // 2
    mirrored = own[1].flipped(torch.ones_like(strange)).points
    faces = torch.where(strange[:, None, None, None], images.roll(1, 0), own[0].flip(-1))
    landmarks = torch.where(strange[:, None, None], points.roll(1, 0), mirrored)
    return Swapped(swapped_faces(images, points, faces, landmarks), ~strange | (identities == identities.roll(1, 0)))


def where_changed(
    own: Float[Tensor, "batch parts side side"], changed: Float[Tensor, "batch parts side side"], positions: int
) -> Bool[Tensor, "batch positions"]:
    """The positions of D_e in whose reach two heatmaps differ; no other can know that a part was changed."""
    side = round(positions**0.5)
    differs = F.adaptive_max_pool2d((own - changed).abs().amax(1, keepdim=True), side)
    return F.max_pool2d(differs, 3, 1, 1).flatten(1) > _CHANGED
