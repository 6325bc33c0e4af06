"""The side of generated faces, where somebody asks for another than that of the crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mien.model.configuration.bounds import Bounds, check_bounds
from mien.model.errors import SettingsError

MIN_PX, MAX_PX = 64, 1024


@dataclass(frozen=True)
class OutputSize:
    """How large generated faces are."""

    size_px: Annotated[int, Bounds(min=MIN_PX, max=MAX_PX)] | None = None
    """Side in pixels, 64 to 1024; that of the sources' crops where it is not set. It need not be that of the generator,
    which is the side at which it looks at faces: the pixels of the result are the source's own."""

    def __post_init__(self) -> None:
        check_bounds(self)


def check_output_size(size_px: int | None) -> None:
    """Raises SettingsError, with one line, where faces cannot be of that side."""
    if size_px is not None and not MIN_PX <= size_px <= MAX_PX:
        raise SettingsError(f"the output size must lie in {MIN_PX} to {MAX_PX} px, not {size_px}")
