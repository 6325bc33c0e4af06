"""How near a result can come to the target photo: what is left where all about the motion, or the light, is known.

python -m benchmarks.ceilings --root ROOT

ROOT is that of `python -m benchmarks.quality --root ROOT`, prepared. On pairs of one person of the actors held out:
the source warped by the spline, by an optical flow that looks at the target itself, by that flow with each face's
colours fitted to the target's, and the target blurred. No generator knows the target; what separates the spline from
these rows is what motion, light and sharpness are worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np
import torch

from benchmarks.held_out import PIXELS, measured_pixels
from benchmarks.quality_report import SIZE_PX
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.inference.baselines import spline_warped
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.validation import PAIRS_SEED
from mien.storage import Root
from mien.tasks.sets.faces import face_tables
from mien.tasks.train.faces import load_faces

PAIRS = 180
BLURS_PX = (1.0, 1.5, 2.5)

Photos = np.ndarray


def by_flow(moved: Photos, target: Photos) -> Photos:
    """A moved source moved on along the dense flow (DIS; Kroeger et al. 2016) from the target."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in (target, moved)]
    shift = flow.calc(grey[0], grey[1], None)  # pyright: ignore[reportArgumentType, reportCallIssue]
    rows, columns = np.mgrid[: len(moved), : len(moved)].astype(np.float32)
    places = (columns + shift[..., 0], rows + shift[..., 1])
    return cv2.remap(moved, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def in_its_light(made: Photos, target: Photos, points: np.ndarray) -> Photos:
    """Gain and offset of each colour such that medians and spreads over the box of the landmarks are the target's."""
    low, high = (
        np.clip((edge + 1) / 2 * len(made), 0, len(made)).astype(int) for edge in (points.min(0), points.max(0))
    )
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    ours, theirs = made[box].astype(np.float32), target[box].astype(np.float32)
    gain = theirs.std((0, 1)) / np.maximum(ours.std((0, 1)), 1)
    offset = np.median(theirs, (0, 1)) - gain * np.median(ours, (0, 1))
    out = made.astype(np.float32)
    out[box] = ours * gain + offset
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def rows_of(faces: FaceArrays) -> dict[str, dict[str, float]]:
    """Each row's measures."""
    sources, targets = same_person_pairs(faces.identities, PAIRS, PAIRS_SEED)
    photos, goal = (faces.images[rows].transpose(0, 2, 3, 1) for rows in (sources, targets))
    points = faces.points[targets]
    moved = spline_warped(photos, faces.points[sources], points)
    flowed = np.stack([by_flow(one, its) for one, its in zip(moved, goal, strict=True)])
    lit = [in_its_light(*three) for three in zip(flowed, goal, points, strict=True)]
    blurred: Callable[[float], Photos] = lambda px: np.stack([cv2.GaussianBlur(one, (0, 0), px) for one in goal])  # noqa: E731
    made = {
        "the source as it is": photos,
        "moved by the spline": moved,
        "and by a flow that sees the target": flowed,
        "and in the target's light": np.stack(lit),
        **{f"the target, blurred by {px} px": blurred(px) for px in BLURS_PX},
    }
    return {name: measured_pixels(images, goal, torch.from_numpy(points)) for name, images in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True)
    root = Root(parser.parse_args().root)
    tables = [face_tables(root, "actors")]
    found = rows_of(FaceArrays.joined([load_faces(root, tables, split, SIZE_PX) for split in ("val", "test")]))
    base = found["moved by the spline"]
    print("| against the spline | L1 | mouth L1 | eye L1 | SSIM |\n|---|---|---|---|---|")
    for name, its in found.items():
        ratios = [f"{its[m] / base[m]:.3f}×" for m in PIXELS[:3]]
        print(f"| {name} | {' | '.join(ratios)} | {its['ssim'] - base['ssim']:+.3f} |")


if __name__ == "__main__":
    main()
