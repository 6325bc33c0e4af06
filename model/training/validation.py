"""What a training is measured by while it runs, on people it never sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mien.model.evaluation import metrics
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.images.contact_sheet import sample_grid
from mien.model.images.tensors import to_uint8
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.generator import Generator
from mien.model.training.batches import FaceArrays, TargetExpressions

BATCH = 16
PAIRS_SEED = 20200108
"""Of the pairs that are measured: always the same ones for the same faces."""

Rows = Int[np.ndarray, " rows"]


def validate_generator(generator: Generator, faces: FaceArrays, pairs: int) -> dict[str, float]:
    """Same-person pairs: `l1` and `ssim` and `psnr` of what is drawn against the target photo, images in 0..1."""
    source, target = same_person_pairs(faces.identities, pairs, PAIRS_SEED)
    drawn, photos = _unit(draw(generator, faces, source, target)), _unit(faces.photos(target))
    measures = {"l1": metrics.l1, "psnr": metrics.psnr, "ssim": metrics.ssim}
    return {name: float(measure(drawn, photos).mean()) for name, measure in measures.items()}


def draw(generator: Generator, faces: FaceArrays, sources: Rows, targets: Rows) -> Float[Tensor, "rows 3 size size"]:
    """Î of each source with its target's keypoints, in [-1, 1], on the CPU."""
    return draw_targets(generator, faces, sources, faces.keypoints(targets))


def draw_targets(
    generator: Generator, faces: FaceArrays, sources: Rows, targets: KeypointInfo
) -> Float[Tensor, "rows 3 size size"]:
    """Î of each source with the target keypoints of the same row, in [-1, 1], on the CPU."""
    device = next(generator.parameters()).device
    batches = [np.s_[start : start + BATCH] for start in range(0, len(sources), BATCH)]
    with torch.inference_mode():
        drawn = [
            generator(
                faces.sources(sources[rows], device),
                KeypointInfo(*(of_all[rows].to(device) for of_all in targets)),
                faces.side_px,
            ).image
            for rows in batches
        ]
    return torch.cat(drawn).float().cpu()


def identity_auc(discriminator: IdentityDiscriminator, faces: FaceArrays) -> float:
    """Area under the ROC curve of D_id over all pairs of different photos: same person against different people.

    NaN where the faces hold no pair of one of the two sorts.
    """
    device = next(discriminator.parameters()).device
    with torch.inference_mode():
        embeddings = torch.cat([discriminator.embed(faces.photos(rows, device)) for rows in _batches(len(faces))])
        logits = np.stack(
            [discriminator.judge(embeddings, one.expand_as(embeddings)).cpu().numpy() for one in embeddings]
        )
    same = faces.identities[:, None] == faces.identities[None]
    return metrics.auc(logits[same & ~np.eye(len(faces), dtype=bool)], logits[~same])


def expression_auc(discriminator: ExpressionDiscriminator, faces: FaceArrays) -> float:
    """Area under the ROC curve of D_e: each photo with its own heatmap against that with another photo's."""
    others = (np.arange(len(faces)) + np.random.default_rng(PAIRS_SEED).integers(1, len(faces), len(faces))) % len(
        faces
    )
    device = next(discriminator.parameters()).device
    own: list[np.ndarray] = []
    foreign: list[np.ndarray] = []
    with torch.inference_mode():
        for rows in _batches(len(faces)):
            photos = faces.photos(rows, device)
            own.append(discriminator(photos, faces.keypoints(rows, device).heatmaps).mean(1).cpu().numpy())
            foreign.append(discriminator(photos, faces.keypoints(others[rows], device).heatmaps).mean(1).cpu().numpy())
    return metrics.auc(np.concatenate(own), np.concatenate(foreign))


def draw_samples(generator: Generator, faces: FaceArrays, rows: int) -> UInt8[np.ndarray, "height width 3"]:
    """A sheet of fixed pairs: a person's photo, another photo of the same person and what is drawn for it; then a photo
    of another person and what is drawn for that expression, retargeted as in training."""
    source, target = same_person_pairs(faces.identities, rows, PAIRS_SEED)
    drivers = np.array([_stranger(faces, row, n) for n, row in enumerate(source.tolist())])
    targets = TargetExpressions(faces).keypoints(source, drivers)
    columns = [faces.photos(source), faces.photos(target), draw(generator, faces, source, target)]
    columns += [faces.photos(drivers), draw_targets(generator, faces, source, targets)]
    return sample_grid([to_uint8(column) for column in columns], ["source", "target", "drawn", "driver", "drawn"])


def _stranger(faces: FaceArrays, row: int, turn: int) -> int:
    others = np.flatnonzero(faces.identities != faces.identities[row])
    return int(others[turn * 7919 % len(others)]) if len(others) else row


def _unit(images: Float[Tensor, "batch 3 size size"]) -> Float[np.ndarray, "batch size size 3"]:
    return ((images + 1) / 2).permute(0, 2, 3, 1).numpy()


def _batches(count: int) -> Sequence[Rows]:
    return [np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
