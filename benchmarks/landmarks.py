"""Landmarks against hand-marked ones: how many faces are found, how far their landmarks are off.

python -m benchmarks.landmarks FOLDER [--faces dlib --faces insightface:PACK_OR_FOLDER[+mediapipe]]

FOLDER holds pictures NNN.jpg, each with NNN.csv: a line `x,y` and the 68 points of one face in pixels, iBUG order.
300-W counts them from 1 at the centre of the first pixel; here (0.5, 0.5) is the centre of the first pixel, so its
marks are half a pixel too far to the right and down. The table has both: the marks as they are written, and moved.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.schemes import PARTS, interocular_px, part_indices, to_common

_FROM_MATLAB = -0.5
_FAR = 0.5
"""A face whose landmarks lie further from the marks, in inter-ocular distances, is another one."""


def marked(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures with the 68 marks of one face each."""
    paths = sorted(folder.glob("*.jpg"))
    return [
        (decode_rgb(path.read_bytes()), np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1))
        for path in paths
    ]


def errors(face: FoundFace, marks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, " 68"]:
    """Distance of each landmark from its mark, over that of the marked outer eye corners."""
    return np.linalg.norm(to_common(face.landmarks_xy, face.scheme) - marks, axis=1) / interocular_px(marks, "ibug68")


def nearest(found: list[FoundFace], marks: Float[np.ndarray, "68 2"]) -> FoundFace | None:
    """The found face that is the marked one."""
    face = min(found, key=lambda each: errors(each, marks).mean(), default=None)
    return face if face is not None and errors(face, marks).mean() < _FAR else None


def measure(detector: FaceDetector, pictures: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Prints the figures of one detector."""
    detector.find(pictures[0][0])  # loads the weights
    start = time.process_time()
    found = [nearest(detector.find(image), marks) for image, marks in pictures]
    per_picture = 1000 * (time.process_time() - start) / len(pictures)
    pairs = [(face, marks) for face, (_, marks) in zip(found, pictures, strict=True) if face is not None]
    written = np.array([errors(face, marks) for face, marks in pairs])
    moved = np.array([errors(face, marks + _FROM_MATLAB) for face, marks in pairs])
    each = written.mean(1)
    print(f"\n{detector.name}: {len(pairs)} of {len(pictures)} marked faces found, {per_picture:.0f} ms CPU a picture")
    print(f"NME {each.mean():.4f} (median {np.median(each):.4f}, worst {each.max():.3f}), {(each > 0.05).sum()} > 0.05")
    print(f"NME {moved.mean():.4f} with the marks counted from 1")
    print("by part: " + ", ".join(f"{part} {written[:, part_indices('ibug68')[part]].mean():.4f}" for part in PARTS))
    ways = [face.found_by for face, _ in pairs]
    print("found by: " + ", ".join(f"{way} {ways.count(way)}" for way in sorted(set(ways))))
    scatter = np.array([np.nan if face.landmark_scatter is None else face.landmark_scatter for face, _ in pairs])
    if not np.isnan(scatter).any():
        ranks = np.corrcoef(scatter.argsort().argsort(), each.argsort().argsort())[0, 1]
        print(f"scatter of the looks: median {np.median(scatter):.4f}, rank correlation with the error {ranks:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", action="append", help="Detector; repeat for more. Default: dlib.")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = marked(asked.folder)
    for spec in asked.faces or ["dlib"]:
        measure(load_detector(spec), pictures)


if __name__ == "__main__":
    main()
