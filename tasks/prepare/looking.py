"""Several photos at once through the detector. A photo that it fails on costs no other one anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mien.model.detection.detector import (
    EmbedsTogether,
    FaceDetector,
    FindsTogether,
    FoundFace,
    embed_faces,
    embed_faces_each,
    find_faces,
    find_faces_each,
)
from mien.model.errors import ImageError
from mien.tasks.runtime.reports import still_working

T = TypeVar("T")

BATCH = 16
"""Photos at most that are looked at together. What comes of a photo does not depend on it."""
BATCH_PX = 2**25
"""Pixels at most, unless one photo has more: three batches are in memory at once."""

_NO_EMBEDDINGS = np.zeros((0, 1), np.float32)


@dataclass(frozen=True)
class Seen:
    """A photo with the faces in it."""

    pixels: np.ndarray
    faces: Sequence[FoundFace]
    """The largest first."""
    embeddings: np.ndarray
    """One row for each."""


def in_batches(items: Iterable[T], pixels: Callable[[T], int]) -> Iterator[list[T]]:
    """Items that follow each other, as many together as may be.

    Args:
        items: Photos, or what stands for them.
        pixels: How many an item has.
    """
    batch, total = list[T](), 0
    for item in items:
        count = pixels(item)
        if batch and (len(batch) == BATCH or total + count > BATCH_PX):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += count
    if batch:
        yield batch


def look_at(detector: FaceDetector, photos: Sequence[np.ndarray | Exception]) -> list[Seen | Exception]:
    """What is seen in photos, and for those that could not be read why; an ImageError where the detector failed.

    Raises:
        DetectorError: it will not work on any other photo.
    """
    pictures = {at: photo for at, photo in enumerate(photos) if not isinstance(photo, Exception)}
    found = dict(zip(pictures, faces_in_each(detector, list(pictures.values())), strict=True))
    embeddings = _embeddings(detector, pictures, {at: faces for at, faces in found.items() if isinstance(faces, list)})

    def seen(at: int) -> Seen | Exception:
        faces, embedded = found[at], embeddings.get(at, _NO_EMBEDDINGS)
        if isinstance(faces, Exception):
            return faces
        return embedded if isinstance(embedded, Exception) else Seen(pictures[at], faces, embedded)

    return [photo if isinstance(photo, Exception) else seen(at) for at, photo in enumerate(photos)]


def faces_in_each(detector: FaceDetector, pictures: Sequence[np.ndarray]) -> list[list[FoundFace] | ImageError]:
    """The faces in each picture, or why the detector failed on it. Together where it can, else one by one.

    Raises:
        DetectorError: it will not work on any other picture.
    """
    if isinstance(detector, FindsTogether) and len(pictures) > 1:
        try:
            return list(find_faces_each(detector, pictures))
        except ImageError:
            pass  # which of them it was shows one by one
    return [_caught(lambda picture=picture: find_faces(detector, picture)) for picture in pictures]


def _embeddings(
    detector: FaceDetector, pictures: dict[int, np.ndarray], faces: dict[int, list[FoundFace]]
) -> dict[int, np.ndarray | ImageError]:
    some = [at for at, found in faces.items() if found]
    if isinstance(detector, EmbedsTogether) and some:
        try:
            of_each = embed_faces_each(detector, [pictures[at] for at in some], [faces[at] for at in some])
            return dict(zip(some, of_each, strict=True))
        except ImageError:
            pass
    return {at: _caught(lambda at=at: embed_faces(detector, pictures[at], faces[at])) for at in some}


def _caught(ask: Callable[[], T]) -> T | ImageError:
    still_working()
    try:
        return ask()
    except ImageError as error:
        return error
