"""Detectors side by side: faces found, landmarks against hand-marked ones, lids of shut eyes, identity, CPU time.

python -m benchmarks.detectors --marked FOLDER [--set NAME=FOLDER …] [--frames FOLDER]
    [--faces mediapipe --faces dlib --faces insightface:PACK_OR_FOLDER --faces insightface:PACK_OR_FOLDER+mediapipe]

--marked is a folder as `benchmarks/landmarks.py` takes it; errors are in distances of the marked outer eye corners, and
the marks, which count from 1, are moved by half a pixel. --set is a folder with a folder of photos per person; the
AT&T (ORL) faces are always among them. --frames is a folder of clips per person, of which it takes a few frames each.
CPU times are of one thread if OMP_NUM_THREADS=1; compare them within one run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float
from sklearn.metrics import roc_auc_score

from benchmarks.clip_frames import take_frames
from benchmarks.landmarks import marked, nearest
from mien.model.detection.detector import FaceDetector, FoundFace, embed_each, find_each
from mien.model.detection.face_boxes import overlap
from mien.model.detection.load import load_ready_detector
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.schemes import Part, eye_opening, interocular_px, part_indices, to_common
from mien.storage import list_images, read_source

_FROM_MATLAB = -0.5
_SHUT = 0.12
"""Eyes with less marked opening are shut."""
_PARTS: dict[str, tuple[Part, ...]] = {
    "eyes": ("left_eye", "right_eye"),
    "mouth": ("outer_lips", "inner_lips"),
    "brows": ("left_brow", "right_brow"),
    "nose": ("nose",),
    "jaw": ("jaw",),
}
_SMALL_FACE_PX = 40
_CANVASES = ((640, 480), (1200, 900), (1600, 1200), (3000, 2000))
_PER_CANVAS = 20
_PIECE_PX = 24
_FRAMES = 4
"""Of each person's clips."""

Photos = list[np.ndarray]


class Timed(NamedTuple):
    """Results, and the CPU time that each took."""

    results: list[list[FoundFace]]
    ms: float


def found_in(detector: FaceDetector, photos: Photos) -> Timed:
    start = time.process_time()
    results = find_each(detector, photos)
    return Timed(results, 1000 * (time.process_time() - start) / max(len(photos), 1))


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |")


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*("---" for _ in cells))


def errors(face: FoundFace, marks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, " 68"]:
    apart = np.linalg.norm(to_common(face.landmarks_xy, face.scheme) - (marks + _FROM_MATLAB), axis=1)
    return apart / interocular_px(marks, "ibug68")


def against_marks(detectors: dict[str, FaceDetector], folder: Path) -> None:
    """Errors by part; of the inner points also on the pictures with even and with odd numbers."""
    pictures = marked(folder)
    head("marked faces", "found", "inner 51", "even", "odd", *_PARTS, "shut eyes: marked", "found", "open: found", "ms")
    for name, detector in detectors.items():
        found, ms = found_in(detector, [image for image, _ in pictures])
        faces = [nearest(each, marks) for each, (_, marks) in zip(found, pictures, strict=True)]
        pairs = [(n, face, pictures[n][1]) for n, face in enumerate(faces) if face is not None]
        each = np.array([errors(face, marks) for _, face, marks in pairs])
        even = np.array([n % 2 == 0 for n, _, _ in pairs])
        parts = [
            float(np.concatenate([each[:, part_indices("ibug68")[part]] for part in names], axis=1).mean())
            for names in _PARTS.values()
        ]
        openings = np.array(
            [
                opening
                for _, face, marks in pairs
                for opening in zip(
                    eye_opening(marks, "ibug68"), eye_opening(face.landmarks_xy, face.scheme), strict=True
                )
            ]
        )
        shut = openings[:, 0] < _SHUT
        inner = each[:, 17:].mean(1)
        means = [float(inner.mean()), float(inner[even].mean()), float(inner[~even].mean()), *parts]
        lids = [f"{value:.3f}" for value in (*openings[shut].mean(0), (openings[~shut, 1] / openings[~shut, 0]).mean())]
        row(name, f"{len(pairs)} of {len(pictures)}", *means, *lids, f"{ms:.0f}")


def photos_by_person(folder: Path) -> tuple[Photos, list[str]]:
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return [decode_rgb(path.read_bytes()) for path in paths], [path.parent.name for path in paths]


def orl() -> tuple[Photos, list[str]]:
    items = list_images(["sample:orl"])
    return [decode_rgb(read_source(item.uri)) for item in items], [item.uri.split("/")[-2] for item in items]


def on_sets(detectors: dict[str, FaceDetector], sets: dict[str, Callable[[], tuple[Photos, list[str]]]]) -> None:
    """How many photos have a face, and how well the embeddings of the largest ones tell people apart."""
    head("photos", "detector", "found", "ms to find", "ms to embed", "identity: AUC", "scatter: median", "99%")
    for name, load in sets.items():
        photos, people = load()
        for spec, detector in detectors.items():
            found, ms = found_in(detector, photos)
            kept = [n for n, faces in enumerate(found) if faces]
            largest = [found[n][0] for n in kept]
            start = time.process_time()
            embeddings = np.stack(embed_each(detector, [photos[n] for n in kept], largest))
            embed_ms = 1000 * (time.process_time() - start) / len(kept)
            auc = separation(detector, embeddings, np.array(people)[kept])
            scatter = [face.landmark_scatter for face in largest if face.landmark_scatter is not None]
            spread = np.quantile(scatter, (0.5, 0.99)).tolist() if scatter else ["-", "-"]
            row(name, spec, f"{len(kept)} of {len(photos)}", f"{ms:.1f}", f"{embed_ms:.1f}", f"{auc:.5f}", *spread)


def separation(detector: FaceDetector, embeddings: np.ndarray, people: np.ndarray) -> float:
    first, second = np.triu_indices(len(people), 1)
    alike = detector.similarity(embeddings[first], embeddings[second])
    return float(roc_auc_score(people[first] == people[second], alike))


def shuffled(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo without its faces: in pieces that are smaller than they are."""
    rows, columns = (side // _PIECE_PX for side in photo.shape[:2])
    pieces = photo[: rows * _PIECE_PX, : columns * _PIECE_PX].reshape(rows, _PIECE_PX, columns, _PIECE_PX, 3)
    pieces = pieces.swapaxes(1, 2).reshape(rows * columns, _PIECE_PX, _PIECE_PX, 3)[rng.permutation(rows * columns)]
    grid = pieces.reshape(rows, columns, _PIECE_PX, _PIECE_PX, 3).swapaxes(1, 2)
    return grid.reshape(rows * _PIECE_PX, columns * _PIECE_PX, 3)


def small_faces(size: tuple[int, int], backgrounds: Photos) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """ORL faces of 40 px across in large photos that were cut in pieces and shuffled, and where they are."""
    rng = np.random.default_rng(0)
    photos, _ = orl()
    width, height = size
    for _ in range(_PER_CANVAS):
        background = shuffled(backgrounds[int(rng.integers(len(backgrounds)))], rng)
        scale = max(width / background.shape[1], height / background.shape[0])
        canvas = cv2.resize(background, None, fx=scale, fy=scale)[:height, :width].copy()
        # An ORL photo is 92 px wide, the face in it about 75.
        scale = _SMALL_FACE_PX / 75
        small = cv2.resize(
            photos[int(rng.integers(len(photos)))], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        rows, columns = small.shape[:2]
        left, top = int(rng.integers(width - columns)), int(rng.integers(height - rows))
        canvas[top : top + rows, left : left + columns] = small
        yield canvas, np.array([left, top, left + columns, top + rows], np.float64)


def in_large_photos(detectors: dict[str, FaceDetector], backgrounds: Photos) -> None:
    head("faces of 40 px in a photo of", "detector", "found", "ms")
    for size in _CANVASES:
        pictures = list(small_faces(size, backgrounds))
        for name, detector in detectors.items():
            found, ms = found_in(detector, [canvas for canvas, _ in pictures])
            hits = sum(
                any(overlap(where, np.array([face.bbox_xyxy]))[0] > 0.2 for face in faces)
                for faces, (_, where) in zip(found, pictures, strict=True)
            )
            row("{} × {}".format(*size), name, f"{hits} of {len(pictures)}", f"{ms:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faces", action="append", help="Detector; repeat for more. Default: mediapipe and dlib.")
    parser.add_argument("--marked", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], help="NAME=FOLDER; repeat for more.")
    parser.add_argument("--frames", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    detectors = {spec: load_ready_detector(spec) for spec in asked.faces or ["mediapipe", "dlib"]}
    against_marks(detectors, asked.marked)
    sets: dict[str, Callable[[], tuple[Photos, list[str]]]] = {"ORL": orl}
    for name, folder in (each.split("=", 1) for each in asked.set):
        sets[name] = lambda folder=folder: photos_by_person(Path(folder))
    with tempfile.TemporaryDirectory() as work:
        if asked.frames:
            frames = take_frames(asked.frames, Path(work), _FRAMES)
            sets["frames of clips"] = lambda: photos_by_person(frames)
        on_sets(detectors, sets)
    in_large_photos(detectors, [image for image, _ in marked(asked.marked)])


if __name__ == "__main__":
    main()
