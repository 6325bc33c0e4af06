"""Photos of the sample data for tests of the detectors."""

from __future__ import annotations

from functools import cache

import numpy as np

from model.images import decode_rgb
from storage import list_images, read_source


@cache
def orl_photos(count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """So many of the AT&T (ORL) faces, always the same."""
    items = list_images(["sample:orl"])
    chosen = np.random.default_rng(seed).choice(len(items), count, replace=False)
    return tuple(decode_rgb(read_source(items[i].uri)) for i in sorted(chosen))
