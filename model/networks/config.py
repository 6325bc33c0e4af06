"""What decides the shape of a generator. Free of torch, so that settings are read without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mien.model.configuration.bounds import Count, CountOrZero, GivenByData, check_bounds
from mien.model.errors import SettingsError

GeneratorKind = Literal["motion", "residual"]

SIZES_PX = (64, 96, 128, 256, 512)
WIDTHS: dict[GeneratorKind, int] = {"motion": 24, "residual": 32}
"""The width of each kind where none is set."""


@dataclass(frozen=True)
class GeneratorConfig:
    """The kind and the shape of the generator; stored beside its weights."""

    kind: GeneratorKind = "motion"
    """motion moves the source and draws what the source does not show; residual, the patent's, draws every pixel."""
    size_px: int = 128
    """Side of what it looks at, and of the motion and layer that it makes: 64, 96, 128, 256 or 512, at most the crop
    size of the sets. The motion kind puts images together at any size, from the pixels of the sources."""
    width: Count | None = None
    """Channels of the finest grid; deeper grids have multiples of it. Where it is not set, 24 for motion and 32 for
    residual, which needs an even number."""
    blocks: CountOrZero = 4
    """Residual blocks at the deepest grid."""
    parts: Annotated[int, GivenByData()] = 8
    """Channels of the heatmaps."""
    keeps_source: bool = True
    """Of the residual kind: whether a mask lets the source through where it already shows the target; without it every
    pixel is drawn."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.size_px not in SIZES_PX:
            raise SettingsError(f"size_px is {self.size_px}: choose one of {', '.join(map(str, SIZES_PX))}")
        if self.kind == "residual" and self.channels % 2:
            raise SettingsError(f"the width of a residual generator must be even, not {self.channels}")

    @property
    def channels(self) -> int:
        """The width, or that of the kind where none is set."""
        return WIDTHS[self.kind] if self.width is None else self.width

    @property
    def patch_px(self) -> int:
        """Side of the pixel patches that become channels, so that the core works at a half to an eighth of the side."""
        return 2 if self.size_px < 96 else 4 if self.size_px < 512 else 8

    @property
    def core_px(self) -> int:
        """Side of the widest grid."""
        return self.size_px // self.patch_px

    @property
    def fine_px(self) -> int:
        """Side of the finest grid of the motion generator: a half of the picture's, a quarter from 256 px on."""
        return self.size_px // (2 if self.size_px < 256 else 4)

    @property
    def fold_px(self) -> int:
        """Side of the squares of pixels that become channels, on which the shapes of weights depend."""
        return self.size_px // self.fine_px if self.kind == "motion" else self.patch_px
