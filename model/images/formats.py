"""Which formats of pictures are read: a closed list, whatever else Pillow could open.

Among the others are some that start programs (EPS: Ghostscript) or read further files.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from PIL import Image, features

from mien.model.errors import DecoderError, ImageError
from mien.model.images.limits import too_large

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
_SHARES: Final = {"JPEG2000": 0.4, "WEBP": 0.6}
"""Of the limit on pixels, for decoders that take up to 18 or 15 bytes for each, where others take 9."""
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})
_NO_HEIF: Final = "HEIC: pip install 'mien[heif]'"
_OTHERS: Final = (
    (b"%!PS", "EPS or PostScript is not read: save it as JPEG or PNG"),
    (b"\xc5\xd0\xd3\xc6", "EPS is not read: save it as JPEG or PNG"),
    (b"%PDF", "a PDF is no picture: export its pages as JPEG or PNG"),
    (b"\xd7\xcd\xc6\x9a", "WMF is not read: save it as PNG"),
    (b"8BPS", "a Photoshop file is not read: save it as JPEG, PNG or TIFF"),
    (b"\xff\x0a", "JPEG XL is not read: save it as JPEG or PNG"),
    (b"\0\0\0\x0cJXL ", "JPEG XL is not read: save it as JPEG or PNG"),
    (b"II*\0", "a TIFF of a kind that is not read: save it as RGB or grey with 8 or 16 bits"),
    (b"MM\0*", "a TIFF of a kind that is not read: save it as RGB or grey with 8 or 16 bits"),
)
"""What files of other formats begin with."""


@contextmanager
def opened_image(data: bytes) -> Iterator[Image.Image]:
    """A picture whose size has been checked; whatever goes wrong with it inside the block becomes an ImageError.

    Raises:
        DecoderError: this machine lacks what it takes.
        ImageError: the bytes are no picture in a format of the list, a damaged one, or one of too many pixels.
    """
    formats = _formats(data)
    try:
        with warnings.catch_warnings():
            # Warnings about odd metadata and large pictures: the pixels decide, and the limit is our own.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=formats) as image:
                if reason := too_large(*image.size, _SHARES.get(image.format or "", 1.0)):
                    raise ImageError(reason)
                yield image
    except ImageError:
        raise
    except Image.UnidentifiedImageError as error:
        if name := _undecodable(data):
            raise DecoderError(f"this Pillow has no decoder for {name}: install another Pillow") from error
        raise ImageError(_what_else(data)) from error
    except MemoryError as error:
        raise DecoderError("there is not enough memory to decode it: take fewer --workers") from error
    except (Image.DecompressionBombError, OverflowError) as error:
        raise ImageError(f"a damaged or far too large picture: {_first_line(error)}") from error
    except Exception as error:
        # What Pillow's decoders raise on damaged files has no common base, and is not written down.
        if "not available" in str(error):
            raise DecoderError(
                f"this machine lacks a decoder ({_first_line(error)}): install another Pillow"
            ) from error
        raise ImageError(f"a damaged picture: {_first_line(error)}") from error


def _formats(data: bytes) -> list[str]:
    if not is_heif(data):
        return list(_FORMATS)
    if not _register_heif():
        raise DecoderError(_NO_HEIF)
    return ["HEIF"]


def _undecodable(data: bytes) -> str | None:
    """The format of a picture that Pillow knows, and that this build of it lacks the library for."""
    brands = data[8:64] if data[4:8] == b"ftyp" else b""
    if b"avif" in brands and not features.check("avif"):
        return "AVIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and not features.check("webp"):
        return "WebP"
    return None


def is_heif(data: bytes) -> bool:
    """Whether these are the bytes of a HEIC picture, as phones write them."""
    if data[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(data[:4], "big"), 64)
    return bool({data[8:12], *(data[at : at + 4] for at in range(16, size, 4))} & _HEIF_BRANDS)


@cache
def _register_heif() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _what_else(data: bytes) -> str:
    if not data:
        return "an empty file"
    if is_heif(data):
        return "a damaged HEIC picture"
    if data[4:8] == b"ftyp":
        return "a video, or a picture of a kind that is not read: call a video by its suffix"
    known = next((reason for magic, reason in _OTHERS if data.startswith(magic)), None)
    return known or "not a picture in a format that can be read"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
