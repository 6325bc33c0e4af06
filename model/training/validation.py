"""What a training is measured by while it runs, on people it never sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mien.model.evaluation import metrics
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.contact_sheet import sample_grid
from mien.model.images.tensors import to_uint8
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.generator import Generator
from mien.model.quality.sharpness import sharpness_values
from mien.model.training import discriminator_measures as measures
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.networks import Networks
from mien.model.training.pools import TargetExpressions
from mien.model.training.settings import TrainSettings

BATCH = 16
PAIRS_SEED = 20200108
"""Of the pairs that are measured: always the same ones for the same faces."""

Rows = Int[np.ndarray, " rows"]


class DrawnPairs(NamedTuple):
    """The pairs of a validation, of one person each, and what was drawn for them."""

    source: Rows
    target: Rows
    images: Float[Tensor, "rows 3 size size"]


def draw_pairs(generator: Generator, faces: FaceArrays, pairs: int) -> DrawnPairs:
    """So many fixed pairs."""
    source, target = same_person_pairs(faces.identities, pairs, PAIRS_SEED)
    return DrawnPairs(source, target, draw(generator, faces, source, target))


def likeness(drawn: DrawnPairs, faces: FaceArrays) -> dict[str, float]:
    """Of what was drawn against the target photo: `l1`, `ssim` and `psnr`, images in 0..1, and `sharpness`, the median
    of how sharp it is over how sharp the photo is; the first three alone would reward blur."""
    images, photos = _unit(drawn.images), _unit(faces.photos(drawn.target))
    compared = {"l1": metrics.l1, "psnr": metrics.psnr, "ssim": metrics.ssim}
    means = {name: float(measure(images, photos).mean()) for name, measure in compared.items()}
    pairs = zip(to_uint8(drawn.images), to_uint8(faces.photos(drawn.target)), strict=True)
    ratios = [values["sharpness"] for pair in pairs if (values := sharpness_values(*pair))]
    return means | {"sharpness": float(np.median(ratios)) if ratios else float("nan")}


def measure_discriminators(
    networks: Networks,
    faces: FaceArrays,
    settings: TrainSettings,
    drawn: DrawnPairs | None = None,
) -> dict[str, float]:
    """The areas under the curves of `discriminator_measures.py`; real against drawn where something was drawn."""
    pairs = settings.validation_pairs
    found = {
        "identity_auc": measures.identity_auc(networks.identity, faces, settings.augmentation),
        "identity_auc_swapped": measures.swapped_auc(networks.identity, faces, pairs),
        "expression_auc": measures.expression_auc(networks.expression, faces),
        **measures.part_aucs(networks.expression, faces, pairs),
    }
    if drawn is None:
        return found
    return found | measures.drawn_aucs(networks, faces, (drawn.source, drawn.target), drawn.images)


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


def draw_samples(
    generator: Generator, faces: FaceArrays, rows: int, model: ShapeModel | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """A sheet of fixed pairs: a person's photo, another photo of the same person and what is drawn for it; then a photo
    of another person and what is drawn for that expression, retargeted as in training."""
    source, target = same_person_pairs(faces.identities, rows, PAIRS_SEED)
    drivers = np.array([_stranger(faces, row, n) for n, row in enumerate(source.tolist())])
    targets = TargetExpressions(faces, model).keypoints(source, drivers)
    columns = [faces.photos(source), faces.photos(target), draw(generator, faces, source, target)]
    columns += [faces.photos(drivers), draw_targets(generator, faces, source, targets)]
    return sample_grid([to_uint8(column) for column in columns], ["source", "target", "drawn", "driver", "drawn"])


def _stranger(faces: FaceArrays, row: int, turn: int) -> int:
    others = np.flatnonzero(faces.identities != faces.identities[row])
    return int(others[turn * 7919 % len(others)]) if len(others) else row


def _unit(images: Float[Tensor, "batch 3 size size"]) -> Float[np.ndarray, "batch size size 3"]:
    return ((images + 1) / 2).permute(0, 2, 3, 1).numpy()
