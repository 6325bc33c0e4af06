"""What each part of the training is worth: short runs, each with one part left out, measured on held-out people.

Only pixels are measured, so that it is quick, and all held-out people count. A run is kept by the fingerprint of its
training, so one that is done is not done again. `python -m benchmarks.quality --ablate` runs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from model import metrics
from model.additions import LossWeights
from model.devices import keep_freed_memory
from model.networks.generator import WIDTHS, GeneratorConfig
from model.pairs import FaceArrays, same_person_pairs
from model.regions import Region, region_mask
from model.settings import TrainSettings
from model.trainer import Trainer
from model.validation import PAIRS_SEED, draw, to_uint8
from storage import Root
from tasks.faces import FaceTables
from tasks.training import load_faces, training_fingerprint

PAIRS = 128
_REGIONS: dict[str, Region] = {"mouth_l1": "mouth", "eye_l1": "eyes"}
MEASURES = ("l1", "mouth_l1", "eye_l1", "ssim")


@dataclass(frozen=True)
class Variant:
    """A training, and what is missing from it."""

    without: str
    settings: TrainSettings


def variants(steps: int, seed: int, size_px: int) -> Iterator[Variant]:
    """The whole training first, then it with one part left out each."""
    whole = TrainSettings(
        generator=GeneratorConfig(size_px=size_px, width=WIDTHS["motion"]),
        steps=steps,
        seed=seed,
        pretrain_steps=min(TrainSettings.pretrain_steps, steps),
    )
    residual = replace(whole.generator, kind="residual", width=WIDTHS["residual"])
    yield Variant("nothing", whole)
    for term in fields(LossWeights):
        yield Variant(f"{term.name} term", replace(whole, weights=replace(whole.weights, **{term.name: 0.0})))
    yield Variant("Muon (Adam for all weights)", replace(whole, optimizer="adam"))
    yield Variant("choice of pairs", replace(whole, pair_candidates=1))
    yield Variant("cross-person updates", replace(whole, cross_every_steps=0))
    yield Variant("motion (residual generator)", replace(whole, generator=residual))


def ablate(root: Root, sets: Sequence[FaceTables], steps: int, seed: int, size_px: int) -> str:
    """Trains all variants and measures them; the table as markdown, a row printed as soon as it is there."""
    faces = load_faces(root, sets, "train", size_px)
    held_out = FaceArrays.joined([load_faces(root, sets, split, size_px) for split in ("val", "test")])
    keep_freed_memory()
    lines = [f"| left out, {steps} updates | " + " | ".join(MEASURES) + " |", "|---" * (1 + len(MEASURES)) + "|"]
    print(*lines, sep="\n", flush=True)
    for variant in variants(steps, seed, size_px):
        place = f"quality/ablation/{training_fingerprint(sets, variant.settings)}.json"
        if not root.exists(place):
            measured = measure(train(variant.settings, faces), held_out)
            root.write_bytes(place, json.dumps({"without": variant.without, **measured}).encode())
        found = json.loads(root.read_bytes(place))
        lines.append(f"| {variant.without} | " + " | ".join(f"{found[name]:.4f}" for name in MEASURES) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def train(settings: TrainSettings, faces: FaceArrays) -> Trainer:
    """From pretraining to the last update, without validations."""
    trainer = Trainer(settings, faces)
    while not trainer.pretrained:
        trainer.pretrain()
    while trainer.stop_reason() is None:
        trainer.train_step()
    return trainer


def measure(trainer: Trainer, faces: FaceArrays) -> dict[str, float]:
    """Of the averaged generator, on pairs of one person; images in 0..1."""
    sources, targets = same_person_pairs(faces.identities, PAIRS, PAIRS_SEED)
    drawn = to_uint8(draw(trainer.average, faces, sources, targets))
    return measured_pixels(drawn, faces.images[targets].transpose(0, 2, 3, 1), torch.from_numpy(faces.points[targets]))


def measured_pixels(
    drawn: UInt8[np.ndarray, "batch side side 3"],
    photos: UInt8[np.ndarray, "batch side side 3"],
    points: Float[Tensor, "batch 68 2"],
) -> dict[str, float]:
    """Means of `MEASURES` over images in 0..1; points are the photos' landmarks in [-1, 1]."""
    drawn, photos = drawn / 255, photos / 255
    values = {"l1": metrics.l1(drawn, photos), "ssim": metrics.ssim(drawn, photos)}
    for name, region in _REGIONS.items():
        masks = region_mask(points, photos.shape[1], region).numpy()[:, 0] > 0
        values[name] = metrics.masked_l1(drawn, photos, masks)
    return {name: float(np.nanmean(value)) for name, value in values.items()}
