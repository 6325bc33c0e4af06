"""How large a picture may be that is decoded: a small file may claim more pixels than memory holds."""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from mien.model.errors import ModelError

DEFAULT_MAX_PIXELS: Final = 50_000_000
"""With these a worker stays below 1 GiB for each format that is read."""
VARIABLE: Final = "MIEN_MAX_PIXELS"


@cache
def max_pixels() -> int:
    """Pixels of a picture or of a video's frame at most; `MIEN_MAX_PIXELS` in the environment sets another number.

    Raises:
        ModelError: the variable is no whole number above 0.
    """
    return limit_of(VARIABLE, DEFAULT_MAX_PIXELS)


def limit_of(variable: str, usual: int) -> int:
    """The whole number above 0 that a variable of the environment sets; the usual one where it is not set.

    Raises:
        ModelError: the variable is no such number.
    """
    text = os.environ.get(variable, str(usual))
    if not text.isdecimal() or int(text) < 1:
        raise ModelError(f"{variable} is {text!r}: give a whole number above 0")
    return int(text)


def too_large(width: int, height: int, share: float = 1.0) -> str | None:
    """Why a picture of this size is not decoded; None where it is.

    Args:
        width: In pixels.
        height: In pixels.
        share: Of the limit, for formats that take more memory for each pixel.
    """
    most = int(max_pixels() * share)
    if width * height <= most:
        return None
    return f"{width}×{height} pixels are more than {most}: shrink it first, or set {VARIABLE}"
