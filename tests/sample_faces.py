"""Photos of the sample data for tests of the detectors."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float32, UInt8

from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb
from mien.storage import list_images, read_source


@cache
def orl_photos(count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """So many of the AT&T (ORL) faces, always the same."""
    items = list_images(["sample:orl"])
    chosen = np.random.default_rng(seed).choice(len(items), count, replace=False)
    return tuple(decode_rgb(read_source(items[i].uri)) for i in sorted(chosen))


@cache
def orl_faces(people: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """dlib's embeddings of the first photos of the first people of the AT&T (ORL) faces, and whose they are."""
    detector = load_detector("dlib")
    embeddings, of = [], []
    for person in range(1, people + 1):
        for photo in range(1, photos + 1):
            pixels = decode_rgb(read_source(f"sample:orl/s{person}/{photo}.pgm"))
            if found := detector.find(pixels):
                embeddings.append(detector.embed(pixels, found[:1])[0])
                of.append(person)
    return np.stack(embeddings), np.array(of)


def square_faces(count: int) -> UInt8[np.ndarray, "photos 3 92 92"]:
    """So many of the AT&T (ORL) faces without what is above and below, as crops have their axes."""
    return np.stack([photo[10:102].transpose(2, 0, 1) for photo in orl_photos(count)])


@cache
def common_landmarks(count: int) -> Float32[np.ndarray, "photos 68 2"]:
    """dlib's landmarks of `square_faces`, in [-1, 1]."""
    detector = load_detector("dlib")
    found = [detector.find(photo)[0].landmarks_xy - [0, 10] for photo in orl_photos(count)]
    return (np.stack(found) / 46 - 1).astype(np.float32)
