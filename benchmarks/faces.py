"""Finding faces on the sample data: how many are found, how long each step takes.

python -m benchmarks.faces [--faces mediapipe | dlib | insightface:PACK_OR_FOLDER[+mediapipe]] [--photos 400]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np

from mien.model.detection.crop import align_face
from mien.model.detection.detector import FaceDetector, FoundFace, embed_each
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.quality.measures import pose_degrees, sharpness
from mien.storage import list_images, read_source

BATCH = 16
"""Faces embedded together, as in `prepare`."""

T = TypeVar("T")
R = TypeVar("R")

SETTINGS = AlignmentSettings(size_px=128)
EMBEDDED = 100
"""Photos whose embeddings are timed and compared."""


def timed(name: str, work: Callable[[T], R], items: Sequence[T], faces: int = 1) -> list[R]:
    """Results of the work on each item of so many faces; prints the mean time of a face, without the first item, which
    loads weights."""
    first = [work(item) for item in items[:1]]
    start, start_cpu = time.perf_counter(), time.process_time()
    rest = [work(item) for item in items[1:]]
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    per_item = 1000 / max(len(rest) * faces, 1)
    print(f"| {name:<18} | {wall * per_item:8.1f} | {cpu * per_item:8.1f} |")
    return first + rest


def largest(detector: FaceDetector, image: np.ndarray) -> FoundFace | None:
    return next(iter(detector.find(image)), None)


def separation(detector: FaceDetector, embeddings: np.ndarray, people: np.ndarray) -> str:
    """How well the customary threshold tells the people apart."""
    first, second = np.triu_indices(len(people), 1)
    similarity = detector.similarity(embeddings[first], embeddings[second])
    same, alike = people[first] == people[second], similarity >= detector.same_person_similarity
    shares = f"{alike[same].mean():.1%}", f"{alike[~same].mean():.2%}"
    return f"{shares[0]} of {same.sum()} pairs of one person, {shares[1]} of {(~same).sum()} pairs of two"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", default="mediapipe")
    parser.add_argument("--photos", type=int, default=400)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    detector = load_detector(asked.faces)
    items = list_images(["sample:orl"])[: asked.photos]

    print("| step               |  wall ms |   cpu ms |\n|---|---|---|")
    photos = timed("decode", lambda item: decode_rgb(read_source(item.uri)), items)
    found = timed("find", lambda photo: largest(detector, photo), photos)
    pairs = [(photo, face) for photo, face in zip(photos, found, strict=True) if face is not None]
    people = np.array([item.identity for item, face in zip(items, found, strict=True) if face is not None])[:EMBEDDED]
    aligned = timed("align", lambda pair: align_face(*pair, SETTINGS), pairs)
    faces = list(zip(aligned, (face.scheme for _, face in pairs), strict=True))
    timed(
        "heatmaps",
        lambda face: render_heatmaps(face[0].landmarks_xy[None], face[1], SETTINGS.size_px, HeatmapSpec()),
        faces,
    )
    timed("quality", lambda face: (sharpness(face[0].crop), pose_degrees(face[0].landmarks_xy, face[1])), faces)
    embeddings = timed("embed", lambda pair: detector.embed(pair[0], [pair[1]])[0], pairs[:EMBEDDED])
    batches = [pairs[first : first + BATCH] for first in range(0, len(pairs) - BATCH + 1, BATCH)]
    timed(f"embed, of {BATCH}", lambda batch: embed_each(detector, *zip(*batch, strict=True)), batches, BATCH)
    again = timed("find on the crop", lambda face: largest(detector, face[0].crop), faces)

    print(f"\nfound on the photos: {len(pairs)} of {len(photos)}")
    print(f"found on their aligned crops of {SETTINGS.size_px} px: {sum(f is not None for f in again)} of {len(again)}")
    print(f"taken for one person: {separation(detector, np.stack(embeddings), people)}")


if __name__ == "__main__":
    main()
