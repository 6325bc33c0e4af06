"""A number hidden in the pixels of a picture: the networks of RivaGAN, run as the ONNX files that a package carries.

The encoder spreads 32 bits over all pixels, the decoder finds them in what is left of the picture (Zhang et al.,
"Robust Invisible Video Watermarking with Attention", 2019). The files are those of `invisible-watermark` (MIT). It is
never imported, since it needs further packages. Both networks look at pixels as they are, so a picture of another size
is read at the sizes that crops have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from mien.model.errors import WatermarkError
from mien.model.images.codec import Rgb, decode_rgb
from mien.model.images.provenance import encode_image
from mien.model.images.watermark_code import nearest_word, word_of

PACKAGE = "invisible-watermark==0.2.0"
INSTALL = f"the watermark needs two files of a package: pip install --no-deps {PACKAGE}"
MAX_PX = 512
"""Longer side that the networks get: of a larger picture the mark is made at this size, and enlarged."""
MIN_PX = 64
"""Shorter side of the smallest picture that is marked or read."""
GAINS = (1.0, 1.25, 1.5, 2.0)
"""Of the mark, tried in this order until it is read with a margin after `SURVIVED_QUALITY`. 1 is the network's own."""
SURVIVED_QUALITY = 80
"""Of JPEG, 1 to 100."""
MIN_AGREEMENT, MIN_CLEARNESS = 0.93, 2.75
"""Of a mark that is found: what pictures without one hardly ever reach (docs/marks.md)."""
MIN_KNOWN_AGREEMENT, MIN_KNOWN_CLEARNESS = 0.8, 1.5
"""The same where only some numbers are looked for."""
_MADE_AGREEMENT, _MADE_CLEARNESS = 0.97, 3.6
"""What a mark that is made has after `SURVIVED_QUALITY`: a crop damages it further."""
_CLEAR_PX = 256
"""Side of the picture whose mark is as clear as it is strong. Of smaller ones the decoder says more, with a mark and
without."""

_FILES = {
    "rivagan_encoder.onnx": "66bc7814fadac7d686105c8ab26c6cf2cc8e40deb83e67bb6ef5b9de9b8ece0d",
    "rivagan_decoder.onnx": "6b006690cf352fa50a91a0b6d6241dbcded0a9957969e2c0665cf9a7011b3880",
}
"""With the SHA-256 of each."""
_SIDES_PX = (128, 256, 512)
"""Longer sides at which a picture is read that has been enlarged or reduced."""
_MAX_CHANGE = 2.3
"""By which factor a picture that is read has been enlarged or reduced at most, a crop included."""
_ALIKE = 1.15
"""Sizes that differ by less than this factor are read alike."""


@dataclass(frozen=True)
class Found:
    """What is read as a watermark."""

    number: int
    agreement: float
    """As `watermark_code.Match` has it."""
    clearness: float
    """How far the decoder's values are from no answer, for a picture of this size."""

    def reaches(self, min_agreement: float, min_clearness: float) -> bool:
        """Whether both are as high."""
        return self.agreement >= min_agreement and self.clearness >= min_clearness


def check_watermarking() -> None:
    """Raises WatermarkError if the networks are not installed, or are others."""
    for name in _FILES:
        _network_file(name)


def add_watermark(rgb: Rgb, number: int) -> Rgb | None:
    """The picture with a number in it, as faint as it can be to be found after JPEG of `SURVIVED_QUALITY`.

    None where it would not be found: the picture is too small, or too plain.

    Raises:
        WatermarkError: the networks are not installed, or are others.
    """
    if min(rgb.shape[:2]) < MIN_PX:
        return None
    mark = _mark(rgb, number)
    for gain in GAINS:
        marked = _with(rgb, gain * mark)
        damaged = decode_rgb(encode_image(marked, "jpeg", {}, SURVIVED_QUALITY))
        found = _read(_reduced(damaged), None, damaged.shape[0] * damaged.shape[1])
        if found and found.number == number and found.reaches(_MADE_AGREEMENT, _MADE_CLEARNESS):
            return marked
    return None


def add_unread_watermark(rgb: Rgb, number: int) -> Rgb:
    """The picture with the mark as the network gives it, without a look at whether it can be read: a picture whose mark
    could not be has one, too.

    Raises:
        WatermarkError: the networks are not installed, or are others.
    """
    return _with(rgb, _mark(rgb, number))


def find_watermark(rgb: Rgb, known: frozenset[int] | None = None) -> Found | None:
    """The number that is hidden in a picture; None where there is none, or it is too damaged to be sure.

    `known` are the only numbers to look for: of these, one is found in a picture that is damaged more.

    Raises:
        WatermarkError: the networks are not installed, or are others.
    """
    if min(rgb.shape[:2]) < MIN_PX:
        return None
    limits = (MIN_AGREEMENT, MIN_CLEARNESS) if known is None else (MIN_KNOWN_AGREEMENT, MIN_KNOWN_CLEARNESS)
    read = (_read(picture, known, rgb.shape[0] * rgb.shape[1]) for picture in _sizes(rgb))
    return next((found for found in read if found and found.reaches(*limits)), None)


def read_values(rgb: Rgb) -> Float32[np.ndarray, " 32"]:
    """What the decoder says of each bit: above 0 for 1, below for 0, and the farther away the surer."""
    (values,) = _session("rivagan_decoder.onnx").run(None, {"frame": _frame(rgb)})
    return values[0]


def _read(rgb: Rgb, known: frozenset[int] | None, pixels: int) -> Found | None:
    """What is read; `pixels` are those of the picture itself, of which an enlarged one has no more to say."""
    match = nearest_word(read_values(rgb), known)
    if match is None:
        return None
    side_px = min(rgb.shape[0] * rgb.shape[1], pixels) ** 0.5
    return Found(match.number, match.agreement, match.strength * side_px / _CLEAR_PX)


def _mark(rgb: Rgb, number: int) -> Float32[np.ndarray, "height width 3"]:
    """What is added to the pixels, in grey levels."""
    reduced = _reduced(rgb)
    inputs = {"frame": _frame(reduced), "data": word_of(number)[None].astype(np.float32)}
    (made,) = _session("rivagan_encoder.onnx").run(None, inputs)
    marked = (made[0, :, 0].transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5
    mark = (marked - reduced).astype(np.float32)
    if mark.shape == rgb.shape:
        return mark
    return cv2.resize(mark, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _with(rgb: Rgb, mark: Float32[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return np.rint(rgb + mark).clip(0, 255).astype(np.uint8)


def _frame(rgb: Rgb) -> Float32[np.ndarray, "1 3 1 height width"]:
    return (rgb.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None, :, None]


def _reduced(rgb: Rgb) -> UInt8[np.ndarray, "new_height new_width 3"]:
    return _with_side(rgb, MAX_PX) if max(rgb.shape[:2]) > MAX_PX else rgb


def _with_side(rgb: Rgb, side_px: int) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """The picture with another longer side."""
    factor = side_px / max(rgb.shape[:2])
    size = tuple(max(1, round(length * factor)) for length in rgb.shape[1::-1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(rgb, size, interpolation=how).astype(np.uint8)


def _sizes(rgb: Rgb) -> Iterator[Rgb]:
    """The picture as it is, then at the sizes that it may have had."""
    first = _reduced(rgb)
    yield first
    tried = [max(first.shape[:2])]
    for side_px in _SIDES_PX:
        near = max(side_px, tried[0]) <= _MAX_CHANGE * min(side_px, tried[0])
        if near and all(max(side_px, other) > _ALIKE * min(side_px, other) for other in tried):
            tried.append(side_px)
            yield _with_side(rgb, side_px)


@cache
def _session(name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the workers are processes, one for each core
    return onnxruntime.InferenceSession(_network_file(name).read_bytes(), options, providers=["CPUExecutionProvider"])


def _network_file(name: str) -> Path:
    """A file of the package, found without importing it.

    Raises:
        WatermarkError: it is not there, or not the one that was measured.
    """
    spec = find_spec("imwatermark")
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise WatermarkError(INSTALL)
    if hashlib.sha256(path.read_bytes()).hexdigest() != _FILES[name]:
        raise WatermarkError(f"{path} is not the file of {PACKAGE}: pip install --no-deps --force-reinstall {PACKAGE}")
    return path
