"""Pictures as whoever calls a served generator gives them: bytes, text in base64, or a path where that is allowed.

Who calls may be a stranger behind a server. So a path is read only below folders that the process which loaded the
model has named, and no text is looked up on the disk otherwise.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path

from mien.model.errors import ImageError, ModelError
from mien.model.images.limits import limit_of

DEFAULT_MAX_BYTES = 256 * 2**20
VARIABLE = "MIEN_MAX_PHOTO_BYTES"
"""As for the pictures of a set (`storage/sources/limits.py`)."""

_NO_PATHS = (
    "neither bytes nor base64 of a picture; a path is read only below folders that model_config={'paths': ...} of "
    "load_model names"
)
_SHOWN = 200
"""Characters of a path in a reason."""


@dataclass(frozen=True)
class GivenPictures:
    """Reads what stands in a cell."""

    folders: tuple[Path, ...] = ()
    """Resolved folders below which paths are read; none reads no path."""

    @staticmethod
    def below(folders: str) -> GivenPictures:
        """Reads paths below these folders, which are separated as in `PATH`; an empty text allows none.

        Raises:
            ModelError: one of them is no folder.
        """
        named = [Path(folder).expanduser() for folder in folders.split(os.pathsep) if folder]
        if missing := [folder for folder in named if not folder.is_dir()]:
            raise ModelError(f"pictures cannot be read below {missing[0]}: there is no such folder")
        return GivenPictures(tuple(folder.resolve() for folder in named))

    def read(self, cell: object) -> bytes:
        """The bytes of the picture that a cell holds or names.

        Raises:
            ImageError: it holds and names none, too large a one, or one that must not be read.
        """
        if isinstance(cell, bytes | bytearray | memoryview):
            _check_size(memoryview(cell).nbytes)
            return bytes(cell)
        if isinstance(cell, os.PathLike):
            return self._at(Path(os.fspath(cell)))  # pyright: ignore[reportUnknownArgumentType]
        if not isinstance(cell, str):
            missing = cell is None or (isinstance(cell, float) and cell != cell)  # NaN: what a table has for nothing
            raise ImageError("there is no picture" if missing else f"a picture cannot be {type(cell).__name__}")
        _check_size(len(cell) * 3 // 4)
        if (decoded := _from_base64(cell)) is not None:
            return decoded
        return self._at(Path(cell))

    def _at(self, path: Path) -> bytes:
        if not self.folders:
            raise ImageError(_NO_PATHS)
        try:
            found = path.expanduser().resolve()
            # The answer is the same for what is not there and for what lies elsewhere.
            if any(found.is_relative_to(folder) for folder in self.folders) and found.is_file():
                _check_size(found.stat().st_size)
                return found.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageError(f"a path that cannot be read ({type(error).__name__})") from error
        raise ImageError(f"{str(path)[:_SHOWN]!r} is no file below the folders that may be read")


def _from_base64(text: str) -> bytes | None:
    """The bytes; None where the text is not base64. Line breaks are allowed, as `base64` writes them."""
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _check_size(size: int) -> None:
    if size > (most := limit_of(VARIABLE, DEFAULT_MAX_BYTES)):
        raise ImageError(f"{size} bytes are more than {most}: shrink it first, or set {VARIABLE}")
