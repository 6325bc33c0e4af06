"""What every kind of generator is: Î_t = G(I_s, L_s, L_t)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo

GeneratorKind = Literal["motion", "residual"]

SIZES_PX = (64, 96, 128, 256, 512)


@dataclass(frozen=True)
class GeneratorConfig:
    """What decides a generator's shape; stored beside its weights."""

    kind: GeneratorKind = "motion"
    size_px: int = 128
    """Side of the square images it takes and makes, one of SIZES_PX."""
    width: int = 24
    """Channels of its finest grid; deeper grids have multiples of it. `WIDTHS` has each kind's customary one."""
    blocks: int = 4
    """Residual blocks at the deepest grid."""
    parts: int = 8
    """Channels of the heatmaps."""
    keeps_source: bool = True
    """Whether a mask lets the source through where it already shows what is asked; without it every pixel is drawn."""

    def __post_init__(self) -> None:
        if self.size_px not in SIZES_PX:
            raise ValueError(f"size_px is {self.size_px}: choose one of {', '.join(map(str, SIZES_PX))}")

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


class Motion(NamedTuple):
    """What a motion generator made its image of."""

    grid: Float[Tensor, "batch side side 2"]
    """Backward flow from the result to the source, at the finest grid of the network."""
    residual: Float[Tensor, "batch 2 side side"]
    """What the network added to the spline, in [-1, 1] over the crop."""
    mask: Float[Tensor, "batch 1 size size"]
    """1 where the moved source is shown, 0 where it is not. The drawn layer is added with a weight of its own."""
    warped: Float[Tensor, "batch 3 size size"]
    drawn: Float[Tensor, "batch 3 size size"]


class Generated(NamedTuple):
    """What a generator returns."""

    image: Float[Tensor, "batch 3 size size"]
    """Î_t in [-1, 1]."""
    motion: Motion | None = None
    """Of kinds that move the source."""


class Generator(nn.Module, ABC):
    """Base of all kinds: the same inputs, the same output, a config that rebuilds it."""

    ENDS: ClassVar[tuple[str, ...]]
    """Names of the layers that take pictures in and put pictures or motion out; all others pass features on."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(
        self, source: Float[Tensor, "batch 3 size size"], source_keypoints: KeypointInfo, target_keypoints: KeypointInfo
    ) -> Generated:
        """The person of `source` (in [-1, 1]) with the expression of `target_keypoints`."""
