"""Which rows of one photo are one face, and which are two people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from mien.storage.rows import FaceRow

SAME_FACE = 0.5
"""From this intersection over union on two boxes are one face; object detection counts a hit so (PASCAL VOC)."""


def shows_same_face(first: FaceRow, second: FaceRow) -> bool:
    """Whether two rows of one photo are the same face: found in two copies of the file, or twice in it."""
    if first["face_id"] == second["face_id"]:
        return True
    one, other = first["bbox_xyxy"], second["bbox_xyxy"]
    return one is not None and other is not None and overlap(one, other) >= SAME_FACE


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(first) + _area(second) - shared)


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def of_two_people(rows: Sequence[FaceRow]) -> list[tuple[int, int]]:
    """Pairs of rows, by index, that are different people: two faces of one photo. Of several copies of a file the first
    rows stand for all: a grouping puts the same face, as like as can be, together."""
    by_photo: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for index, row in enumerate(rows):
        if row["face_id"] not in seen:
            seen.add(row["face_id"])
            by_photo[row["image_id"]].append(index)
    return [
        (first, second)
        for indices in by_photo.values()
        for first, second in combinations(indices, 2)
        if not shows_same_face(rows[first], rows[second])
    ]
