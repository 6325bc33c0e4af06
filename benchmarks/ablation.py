"""What each part of the training is worth: short runs, each with one part left out, measured on held-out people.

All held-out people count. Another seed tells how much of a difference is chance. A run is kept by the fingerprint of
its training, so one that is done is not done again. `python -m benchmarks.quality --ablate` runs it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from benchmarks.held_out import MEASURES, HeldOut, as_row
from mien.model.detection.load import load_detector
from mien.model.device import keep_freed_memory
from mien.model.networks.config import WIDTHS, GeneratorConfig
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.loss_weights import LossWeights
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import State, Trainer
from mien.storage import Root
from mien.tasks.sets.faces import FaceTables, detector_of
from mien.tasks.train.faces import load_faces
from mien.tasks.train.train import training_fingerprint

PAIRS, CROSS_PAIRS = 128, 64


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
    )
    residual = replace(whole.generator, kind="residual", width=WIDTHS["residual"])
    yield Variant("nothing", whole)
    yield Variant("nothing, another seed", replace(whole, seed=seed + 1))
    for term in fields(LossWeights):
        yield Variant(f"{term.name} term", replace(whole, weights=replace(whole.weights, **{term.name: 0.0})))
    yield Variant("Muon (Adam for all weights)", replace(whole, optimizer="adam"))
    yield Variant("choice of pairs", replace(whole, pair_candidates=1))
    yield Variant("cross-person updates", replace(whole, cross_every_steps=0))
    yield Variant("motion (residual generator)", replace(whole, generator=residual))
    for loss in ("hinge", "least_squares"):
        yield Variant(f"the adversary's cross-entropy ({loss.replace('_', ' ')})", replace(whole, gan_loss=loss))


def ablate(root: Root, sets: Sequence[FaceTables], steps: int, seed: int, size_px: int) -> str:
    """Trains all variants and measures them; the table as markdown, a row printed as soon as it is there."""
    faces = load_faces(root, sets, "train", size_px)
    unseen = FaceArrays.joined([load_faces(root, sets, split, size_px) for split in ("val", "test")])
    held_out = HeldOut(unseen, load_detector(detector_of(root, sets[0])), PAIRS, CROSS_PAIRS)
    keep_freed_memory()
    pretrained: dict[TrainSettings, State] = {}
    lines = [f"| left out, {steps} updates | " + " | ".join(MEASURES) + " |", "|---" * (1 + len(MEASURES)) + "|"]
    print(*lines, sep="\n", flush=True)
    for variant in variants(steps, seed, size_px):
        path = f"quality/ablation/{training_fingerprint(sets, variant.settings)}.json"
        if not root.exists(path):
            measured = held_out.measure(train(variant.settings, faces, pretrained).average)
            root.write_bytes(path, json.dumps({"without": variant.without, **measured}).encode())
        lines.append(as_row(variant.without, json.loads(root.read_bytes(path))))
        print(lines[-1], flush=True)
    return "\n".join(lines)


def train(settings: TrainSettings, faces: FaceArrays, pretrained: dict[TrainSettings, State]) -> Trainer:
    """From pretraining to the last update, without validations. What is `pretrained` already is taken from there."""
    trainer = Trainer(settings, faces)
    # Pretraining is of photos alone: what a generator is asked for does not enter it.
    alike = replace(settings, weights=LossWeights(), cross_every_steps=0)
    if alike in pretrained:
        trainer.load_state(*pretrained[alike])
    while not trainer.pretrained:
        trainer.pretrain()
    if alike not in pretrained:
        pretrained[alike] = copy.deepcopy(trainer.state())
    while trainer.stop_reason() is None:
        trainer.train_step()
    return trainer
