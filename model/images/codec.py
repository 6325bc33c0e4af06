"""Pictures as bytes and as arrays. Arrays are RGB, uint8, height × width × 3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from mien.model.errors import ImageError
from mien.model.images.formats import opened_image

Rgb = UInt8[np.ndarray, "height width 3"]

_ORIENTATION: Final = 0x0112
_TRANSPOSED: Final = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
_BITS: Final = 258
_MAX_SAMPLE: Final = 281
"""TIFF tags."""
_BAND_PX: Final = 256
"""Rows that are converted at once: a whole picture in several modes would take several times its memory."""


def image_size_px(data: bytes) -> tuple[int, int]:
    """Width and height after EXIF rotation, from the header alone.

    Raises:
        ImageError: the bytes are no picture, or one of too many pixels.
    """
    with opened_image(data) as image:
        # Pillow turns a TIFF by itself, and says so from the beginning.
        turned = image.format != "TIFF" and image.getexif().get(_ORIENTATION) in _TRANSPOSED
        return (image.height, image.width) if turned else (image.width, image.height)


def has_icc_profile(data: bytes) -> bool:
    """Whether a picture carries a colour profile. It is ignored: faces are compared as the bytes have them.

    Raises:
        ImageError: as `image_size_px`.
    """
    with opened_image(data) as image:
        return bool(image.info.get("icc_profile"))


def decode_rgb(data: bytes, from_side_px: int | None = None) -> Rgb:
    """The first frame of a picture, turned as its EXIF says, as RGB.

    Grey, palette and CMYK pictures are converted, those of more than 8 bits scaled; transparent pixels come out over
    white.

    Args:
        data: The bytes of the file.
        from_side_px: A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, as small as a shorter side of so many
            pixels allows. That takes half the time and less. All of the picture if None.

    Raises:
        ImageError: the bytes are no picture, a damaged one, one of too many pixels, or of values that do not say what
            is white.
    """
    with opened_image(data) as image:
        if from_side_px is not None:
            image.draft(None, (from_side_px, from_side_px))  # of JPEG; other formats know no such thing
        image.load()
        orientation = image.getexif().get(_ORIENTATION)  # of a TIFF there is none any more
        rgb = np.empty((image.height, image.width, 3), np.uint8)
        white = _white(image) if _is_wide(image) else 255.0
        for top, band in _bands(image):
            rgb[top : top + band.height] = _grey(band, white) if _is_wide(image) else _colours(band)
    return _upright(rgb, orientation)


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, _BAND_PX):
        yield top, image.crop((0, top, image.width, min(top + _BAND_PX, image.height)))


def _colours(band: Image.Image) -> UInt8[np.ndarray, "rows width 3"]:
    if band.mode == "LAB":
        raise ImageError("a picture in Lab colours: save it as RGB")
    if band.has_transparency_data:
        layer = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(band.convert("RGB"), np.uint8)


def _is_wide(image: Image.Image) -> bool:
    """More than 8 bits of grey, which Pillow's own conversion clips instead of scaling."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _grey(band: Image.Image, white: float) -> UInt8[np.ndarray, "rows width 1"]:
    values = np.nan_to_num(np.asarray(band, np.float32), nan=0.0)
    return (values * (255 / white)).round().clip(0, 255).astype(np.uint8)[..., None]


def _white(image: Image.Image) -> float:
    """The value that is white.

    Raises:
        ImageError: there are values below black, or so high ones that nothing says what is white.
    """
    if (image.mode.startswith("I;16") and image.format != "TIFF") or (image.mode == "I" and image.format == "PPM"):
        return 65535.0  # scaled by Pillow
    low, high = _range(image)
    if not np.isfinite([low, high]).all() or low < 0:
        raise ImageError(f"a picture of values from {low:g} to {high:g}: save it with 8 or 16 bits, black being 0")
    if tagged := _tagged_white(image):
        if high <= tagged:
            return tagged
    elif image.mode == "F" and high <= 1:
        return 1.0
    # Of 12 bits in 16, as many cameras write, all values are low: as 16 bits the picture would be black.
    steps = (255, 65535) if image.mode == "F" else (255, 4095, 65535)
    if (found := next((step for step in steps if high <= step), None)) is None:
        raise ImageError(f"a picture of values up to {high:g}: save it with 8 or 16 bits")
    return float(found)


def _range(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for _, band in _bands(image):
        values = np.asarray(band, np.float64)
        known = values[~np.isnan(values)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if high > -np.inf else (0.0, 0.0)


def _tagged_white(image: Image.Image) -> float | None:
    """What a TIFF's tags say: the highest value, or fewer bits than a whole number of bytes."""
    tags = getattr(image, "tag_v2", {})
    bits, highest = (np.ravel(tags.get(tag, ())) for tag in (_BITS, _MAX_SAMPLE))
    if highest.size and image.mode != "F" and 255 < int(highest[0]) < 65535:
        return float(highest[0])
    if bits.size and int(bits[0]) not in (8, 16, 32, 64) and image.mode != "F":
        return float(2 ** int(bits[0]) - 1)
    return None


def _upright(rgb: Rgb, orientation: int | None) -> UInt8[np.ndarray, "upright_height upright_width 3"]:
    """As EXIF's orientation says: 2 to 4 are flips, 5 to 8 exchange width and height."""
    if orientation not in range(2, 9):
        return rgb
    if orientation in _TRANSPOSED:
        rgb = rgb.transpose(1, 0, 2)
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(rgb[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])


def encode_png(rgb: Rgb) -> bytes:
    """PNG bytes; the same pixels give the same bytes."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError(f"an array of shape {rgb.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def encode_jpeg(rgb: Rgb, quality: int) -> bytes:
    """JPEG bytes with colour at full resolution; the same pixels and quality (1 to 100) give the same bytes."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def resize_rgb(rgb: Rgb, side_px: int) -> UInt8[np.ndarray, "{side_px} {side_px} 3"]:
    """A square picture at another side length, without aliasing."""
    if rgb.shape[:2] == (side_px, side_px):
        return rgb
    how = cv2.INTER_AREA if rgb.shape[0] > side_px else cv2.INTER_CUBIC
    return cv2.resize(rgb, (side_px, side_px), interpolation=how).astype(np.uint8)
