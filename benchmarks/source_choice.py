"""What the choice of the source photo is worth: pictures of real expressions from four other photos of the person.

python -m benchmarks.source_choice --root ROOT --set SET [--generator FOLDER] [--targets 120] [--photos 4]

Each target is a photo of a person, made again from one of so many other photos of the person and the target's
landmarks: by the spline warp, which is not trained, and by an exported generator. "any" takes the first of them in a
random order, as taking turns does; "nearest" the one that a plan takes (`model/expression/common_face.py`); "nearest by
its own landmarks" the one whose landmarks lie nearest to the target's as they are. Errors are means over the targets
(L1 of pixels in 0..1, over the picture, the eyes and the mouth), with the standard error of the difference from "any".
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from mien.model.evaluation import metrics
from mien.model.expression.common_face import on_common_face
from mien.model.inference.baselines import spline_warped
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.warping.masks import Region, region_mask
from mien.storage import Root
from mien.tasks.sets.face_columns import common_points, crop_of
from mien.tasks.sets.faces import crop_size_px, face_tables, usable_faces

SIDE_PX = 128
REGIONS: tuple[Region, ...] = ("eyes", "mouth")
AT_ONCE = 16


@dataclass(frozen=True)
class Photos:
    """Of a set."""

    images: np.ndarray
    """n × side × side × 3, uint8."""
    points: np.ndarray
    """n × 68 × 2, in [-1, 1]."""
    people: np.ndarray


def read_photos(root: Root, name: str) -> Photos:
    tables = face_tables(root, name)
    columns = ["face_id", "identity", "crop", "landmarks_xy", "landmark_scheme"]
    rows = sorted((row for row in usable_faces(root, [tables], columns) if row["identity"]), key=lambda r: r["face_id"])
    side_px = crop_size_px(root, tables)
    images = [cv2.resize(crop_of(row), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for row in rows]
    points = np.stack([common_points(row, side_px) for row in rows]).astype(np.float64)
    return Photos(np.stack(images), points, np.unique([str(row["identity"]) for row in rows], return_inverse=True)[1])


def drawn_targets(photos: Photos, count: int, offered: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of targets, the people in turns, and of each so many other photos of the person in a random order."""
    draw = np.random.default_rng(0)
    people = [
        rows for person in np.unique(photos.people) if len(rows := np.flatnonzero(photos.people == person)) > offered
    ]
    some = [draw.permutation(people[number % len(people)])[: offered + 1] for number in range(count)]
    return np.array([rows[0] for rows in some]), np.array([rows[1:] for rows in some])


def choices(photos: Photos, targets: np.ndarray, offered: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Names of the ways to choose, and the row of the source of each target."""
    shapes = on_common_face(photos.points, photos.people).astype(np.float64)
    yield "any", offered[:, 0]
    for name, values in (("nearest", shapes), ("nearest by its own landmarks", photos.points.reshape(len(shapes), -1))):
        apart = np.linalg.norm(values[offered] - values[targets][:, None], axis=-1)
        yield name, offered[np.arange(len(targets)), apart.argmin(1)]


def generated(generator: ExportedGenerator, photos: Photos, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    parts: list[np.ndarray] = []
    for start in range(0, len(sources), AT_ONCE):
        rows = [side[start : start + AT_ONCE] for side in (sources, targets)]
        points = [photos.points[of_side].astype(np.float32) for of_side in rows]
        heatmaps = [
            render_heatmaps(to_px(of_side, SIDE_PX), "ibug68", SIDE_PX, generator.heatmap_spec) for of_side in points
        ]
        made = generator.generate(
            photos.images[rows[0]][:, None],
            source_heatmaps=heatmaps[0][:, None],
            target_heatmaps=heatmaps[1],
            source_points=points[0][:, None],
            target_points=points[1],
        )
        parts += [cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for image in made]
    return np.stack(parts)


def errors(made: np.ndarray, photos: Photos, targets: np.ndarray) -> np.ndarray:
    """Targets × (picture, eyes, mouth)."""
    drawn, real = made / 255, photos.images[targets] / 255
    points = torch.from_numpy(photos.points[targets].astype(np.float32))
    masks = [region_mask(points, SIDE_PX, region).numpy()[:, 0] > 0 for region in REGIONS]
    return np.stack([metrics.l1(drawn, real), *(metrics.masked_l1(drawn, real, mask) for mask in masks)], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the choice of the source photo is worth.")
    parser.add_argument("--root", default="./data")
    parser.add_argument("--set", required=True)
    parser.add_argument("--generator", type=Path, help="folder of an exported generator")
    parser.add_argument("--targets", type=int, default=120)
    parser.add_argument("--photos", type=int, default=4, help="other photos of the person to choose from")
    asked = parser.parse_args()
    photos = read_photos(Root(asked.root), asked.set)
    targets, offered = drawn_targets(photos, asked.targets, asked.photos)
    generator = None if asked.generator is None else ExportedGenerator.load(asked.generator)
    print(f"{len(targets)} targets of {len(np.unique(photos.people))} people, {asked.photos} other photos each\n")
    print("| | source | L1 | eyes | mouth |\n|---|---|---|---|---|")
    first: dict[str, np.ndarray] = {}
    for name, sources in choices(photos, targets, offered):
        asked_points = photos.points[targets].astype(np.float32)
        own = photos.points[sources].astype(np.float32)
        made = {"spline warp": spline_warped(photos.images[sources], own, asked_points)}
        made |= {} if generator is None else {"generator": generated(generator, photos, sources, targets)}
        for method, images in made.items():
            found = errors(images, photos, targets)
            base = first.setdefault(method, found)
            apart = np.nanstd(found - base, axis=0) / np.sqrt(len(found))
            cells = (
                f"{mean:.4f} ({mean / of_any:.3f}×, ±{error:.4f})"
                for mean, of_any, error in zip(np.nanmean(found, axis=0), np.nanmean(base, axis=0), apart, strict=True)
            )
            print(f"| {method} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
