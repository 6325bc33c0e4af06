"""Which form of heatmaps a motion generator learns more from: of which landmarks, as points or as contours.

python -m benchmarks.heatmap_forms ROOT SET [SET ...] [--seconds 600] [--seeds 2] [--pairs 200] [--device auto]

The sets are prepared with landmarks of a dense scheme. Every fifth person is held out. Each variant (the dense scheme's
own landmarks or the 68 common ones; points or contours) is trained as a training by default is, from the same seeds,
for the same time. Printed is the L1 on pairs of held-out people over that of the spline, of the face, mouth and eyes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

from mien.model.evaluation.metrics import l1, masked_l1
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.inference.baselines import spline_warped
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.networks.config import GeneratorConfig
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from mien.model.training.validation import draw
from mien.model.warping.masks import region_mask
from mien.storage import Root
from mien.tasks.sets.faces import face_tables
from mien.tasks.train.faces import load_faces

SIZE_PX = 128
FORMS: tuple[HeatmapForm, ...] = ("points", "contours")
REGIONS = ("face", "mouth", "eyes")
HELD_OUT_EVERY = 5


def read(root: Root, sets: list[str]) -> FaceArrays:
    """All usable faces of the sets, of all splits."""
    tables = [face_tables(root, name) for name in sets]
    return _joined([load_faces(root, tables, split, SIZE_PX) for split in ("train", "val", "test")])


def _joined(parts: list[FaceArrays]) -> FaceArrays:
    """Splits have no person in common, but number their people from 0."""
    first = np.cumsum([0, *[int(part.identities.max(initial=-1)) + 1 for part in parts[:-1]]])
    arrays = ("images", "heatmaps", "points", "sets")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    dense = [part.dense for part in parts if part.dense is not None]
    people = np.concatenate([part.identities + number for part, number in zip(parts, first, strict=True)])
    return replace(parts[0], **joined, dense=np.concatenate(dense) if dense else None, identities=people)


def drawn_as(faces: FaceArrays, rows: np.ndarray, form: HeatmapForm, dense: bool) -> FaceArrays:
    """Some of the faces, with heatmaps of a form."""
    points = faces.dense if dense else faces.points
    scheme: LandmarkScheme = faces.scheme if dense else "ibug68"
    assert points is not None  # of dense landmarks, where these are asked for
    spec = HeatmapSpec(form=form)
    return replace(
        faces,
        images=faces.images[rows],
        heatmaps=render_heatmaps(to_px(points[rows], SIZE_PX).astype(np.float32), scheme, SIZE_PX, spec),
        points=faces.points[rows],
        identities=np.unique(faces.identities[rows], return_inverse=True)[1],
        sets=faces.sets[rows],
        spec=spec,
        scheme=scheme,
        dense=points[rows] if dense else None,
    )


def errors(images: np.ndarray, faces: FaceArrays, targets: np.ndarray) -> np.ndarray:
    """Mean L1 of pictures (0 to 1) to the targets: of the face, mouth and eyes."""
    shown = faces.images[targets].transpose(0, 2, 3, 1) / 255
    points = torch.from_numpy(faces.points[targets])
    masks = [region_mask(points, SIZE_PX, region).numpy()[:, 0] > 0 for region in ("mouth", "eyes")]
    return np.array([l1(images, shown).mean(), *(masked_l1(images, shown, mask).mean() for mask in masks)])


def trained(train: FaceArrays, held_out: FaceArrays, seed: int, asked: argparse.Namespace) -> tuple[np.ndarray, int]:
    """L1 on held-out pairs over the spline's, and the number of updates."""
    minutes = asked.seconds / 60
    settings = TrainSettings(generator=GeneratorConfig(size_px=SIZE_PX), minutes=minutes, seed=seed)
    trainer = Trainer(settings, train, asked.device)
    while not trainer.pretrained:
        trainer.pretrain()
    while trainer.stop_reason() is None:
        trainer.train_step()
    sources, targets = same_person_pairs(held_out.identities, asked.pairs, 0)
    moved = held_out.images[sources].transpose(0, 2, 3, 1), held_out.points[sources], held_out.points[targets]
    spline = errors(spline_warped(*(np.ascontiguousarray(each) for each in moved)) / 255, held_out, targets)
    drawn = ((draw(trainer.average, held_out, sources, targets) + 1) / 2).permute(0, 2, 3, 1).numpy()
    return errors(drawn, held_out, targets) / spline, trainer.step


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    faces = read(Root(asked.root), asked.sets)
    held = faces.identities % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    print(f"{(~held).sum()} faces to learn from, {held.sum()} held out, {faces.scheme}\n")
    print("| landmarks | drawn as | seed | updates | " + " | ".join(f"{region}, × spline" for region in REGIONS) + " |")
    print("|---" * (4 + len(REGIONS)) + "|", flush=True)
    for seed in range(asked.seeds):
        for dense in (False, True) if faces.dense is not None else (False,):
            for form in FORMS:
                train, held_out = (drawn_as(faces, np.flatnonzero(rows), form, dense) for rows in (~held, held))
                ratios, updates = trained(train, held_out, seed, asked)
                scheme = faces.scheme if dense else "68 common"
                told = " | ".join(f"{ratio:.4f}" for ratio in ratios)
                print(f"| {scheme} | {form} | {seed} | {updates} | {told} |", flush=True)


if __name__ == "__main__":
    main()
