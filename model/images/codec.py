"""Pictures as bytes and as arrays. Arrays are RGB, uint8, height × width × 3."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from mien.model.errors import ImageError, first_line

MOST_PIXELS: Final = 120_000_000
"""Of a picture that is decoded: a small file may claim more pixels than memory holds."""

Rgb = UInt8[np.ndarray, "height width 3"]

_ORIENTATION = 0x0112
_TRANSPOSED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


def image_size_px(data: bytes) -> tuple[int, int]:
    """Width and height after EXIF rotation, from the header alone.

    Raises:
        ImageError: the bytes are no picture, or one of too many pixels.
    """
    with _opened(data) as image:
        turned = image.getexif().get(_ORIENTATION) in _TRANSPOSED
        return (image.height, image.width) if turned else (image.width, image.height)


def has_icc_profile(data: bytes) -> bool:
    """Whether a picture carries a colour profile. It is ignored: faces are compared as the bytes have them.

    Raises:
        ImageError: as `image_size_px`.
    """
    with _opened(data) as image:
        return bool(image.info.get("icc_profile"))


def decode_rgb(data: bytes) -> Rgb:
    """The first frame of a picture, turned as its EXIF says, as RGB.

    Grey, palette, CMYK and 16-bit pictures are converted; transparent pixels come out over white.

    Raises:
        ImageError: the bytes are no picture, a damaged one, or one of too many pixels.
    """
    with _opened(data) as image:
        return np.array(_as_rgb(ImageOps.exif_transpose(image)), np.uint8)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # More than 8 bits of grey, which Pillow's own conversion clips instead of scaling.
        wide = np.nan_to_num(np.asarray(image, np.float32), nan=0, posinf=0, neginf=0)
        most = 65535.0 if image.mode.startswith("I;16") or wide.max(initial=0) > 255 else 255.0
        return Image.fromarray((wide * (255 / most)).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """A picture whose size has been checked; whatever goes wrong with it inside the block becomes an ImageError."""
    try:
        with warnings.catch_warnings():
            # Warnings about odd metadata and large pictures: the pixels decide, and the limit is our own.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MOST_PIXELS:
                    size = f"{image.width}×{image.height}"
                    raise ImageError(f"{size} pixels are more than {MOST_PIXELS}: shrink it first")
                yield image
    except ImageError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageError("not a picture in a format that can be read" if data else "an empty file") from error
    except (Image.DecompressionBombError, MemoryError, OverflowError) as error:
        raise ImageError(f"a damaged or far too large picture: {first_line(error)}") from error
    except Exception as error:
        # What Pillow's decoders raise on damaged files has no common base, and is not written down.
        raise ImageError(f"a damaged picture: {first_line(error)}") from error


def encode_png(rgb: Rgb) -> bytes:
    """PNG bytes; the same pixels give the same bytes."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError(f"an array of shape {rgb.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def resize_rgb(rgb: Rgb, side_px: int) -> UInt8[np.ndarray, "{side_px} {side_px} 3"]:
    """A square picture at another side length, without aliasing."""
    if rgb.shape[:2] == (side_px, side_px):
        return rgb
    how = cv2.INTER_AREA if rgb.shape[0] > side_px else cv2.INTER_CUBIC
    return cv2.resize(rgb, (side_px, side_px), interpolation=how).astype(np.uint8)
