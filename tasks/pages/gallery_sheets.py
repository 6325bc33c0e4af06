"""Pictures of a gallery, packed into sheets: JPEGs of up to 32 pictures, in rows of eight.

    small sheets   what the cards show             full sheets   what is shown enlarged

A browser loads the sheets that are in view, and a storage takes few large files faster than many small ones. A sheet is
named by its content, so a gallery that is written again writes the same files.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from jaxtyping import UInt8

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb, encode_jpeg, resize_rgb
from mien.model.images.provenance import encode_image
from mien.storage import JSON, Root

FOLDER = "gallery-sheets"
SHEET = re.compile(rf"(?:.*/)?{FOLDER}/[0-9a-f]{{32}}\.jpg")
"""Path of a sheet, below any folder."""

COLUMNS, ROWS = 8, 4
PER_SHEET = COLUMNS * ROWS
SMALL_PX = 128
"""Side on a card, in pixels of the sheet."""
MAX_FULL_PX = 512
"""Side of an enlarged picture at most."""
_SMALL_QUALITY, _FULL_QUALITY = 88, 95

Picture = UInt8[np.ndarray, "side side 3"]
Keep = Callable[[bytes], str]
"""Keeps a sheet somewhere; gives the address that the page finds it under."""
Encode = Callable[[Picture, int], bytes]
"""A sheet as JPEG of a quality."""


def beside(out: Root) -> Keep:
    """Keeps sheets as files below `out`; their addresses are paths relative to the page."""

    def keep(jpeg: bytes) -> str:
        path = f"{FOLDER}/{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
        out.write_bytes(path, jpeg)  # also where it exists: the time of the file tells that it is in use
        return path

    return keep


def within(jpeg: bytes) -> str:
    """Keeps a sheet in the page itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def encode_generated(sheet: Picture, quality: int) -> bytes:
    """A sheet of generated faces, which says that a model made them."""
    return encode_image(sheet, "jpeg", {}, quality)


@dataclass
class _Sheets:
    """Pictures of one side, put into sheets as they come."""

    side_px: int
    quality: int
    encode: Encode
    keep: Keep
    addresses: list[str] = field(default_factory=list[str])
    waiting: list[Picture] = field(default_factory=list[Picture])

    def add(self, picture: Picture) -> None:
        self.waiting.append(resize_rgb(picture, self.side_px))
        if len(self.waiting) == PER_SHEET:
            self.write()

    def write(self) -> None:
        """Writes what waits; cells of the last row that are left over are black."""
        if not self.waiting:
            return
        rows, side = -(-len(self.waiting) // COLUMNS), self.side_px
        cells = np.zeros((rows * COLUMNS, side, side, 3), np.uint8)
        cells[: len(self.waiting)] = self.waiting
        lines = cells.reshape(rows, COLUMNS, side, side, 3).transpose(0, 2, 1, 3, 4)
        sheet = np.ascontiguousarray(lines).reshape(rows * side, COLUMNS * side, 3)
        self.addresses.append(self.keep(self.encode(sheet, self.quality)))
        self.waiting.clear()


class SheetPictures:
    """Pictures of one size, as those of a table are. The first one decides it."""

    def __init__(self, keep: Keep, encode: Encode = encode_jpeg) -> None:
        self._keep, self._encode = keep, encode
        self._count = 0
        self._small: _Sheets | None = None
        self._full: _Sheets | None = None

    def add(self, picture: Picture) -> int:
        """Takes a square picture; gives its number."""
        if self._full is None:
            side_px = min(picture.shape[0], MAX_FULL_PX)
            self._full = _Sheets(side_px, _FULL_QUALITY, self._encode, self._keep)
            if side_px > SMALL_PX:
                self._small = _Sheets(SMALL_PX, _SMALL_QUALITY, self._encode, self._keep)
        for sheets in filter(None, (self._small, self._full)):
            sheets.add(picture)
        self._count += 1
        return self._count - 1

    def finish(self) -> dict[str, JSON]:
        """Writes what is left. For the page: picture n is cell n % per of sheet n // per, small and full."""
        for sheets in filter(None, (self._small, self._full)):
            sheets.write()
        full = self._full.addresses if self._full else []
        return {
            "count": self._count,
            "columns": COLUMNS,
            "per": PER_SHEET,
            "side": self._full.side_px if self._full else 0,
            "small": list(self._small.addresses if self._small else full),
            "full": list(full),
        }


def decoded(data: bytes) -> Picture | None:
    """The pixels; None where the bytes are no picture."""
    try:
        return decode_rgb(data)
    except ImageError:
        return None


def remove_former(out: Root, kept: set[str], former: datetime | None) -> None:
    """Deletes the sheets of the page before this one, and those of writers that were killed before it.

    Args:
        out: Folder of the gallery, whose page is whole.
        kept: Paths of the sheets that this page shows.
        former: When the page before it was written; None where there was none.

    What is younger than the former page stays: it may be of another writer that is at work. The next gallery removes
    it.
    """
    if former is None:
        return
    for file in out.files(FOLDER):
        path = f"{FOLDER}/{file.name}"
        if SHEET.fullmatch(path) and path not in kept and file.written <= former:
            out.delete(path)
