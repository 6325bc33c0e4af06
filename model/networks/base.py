"""What every kind of generator is: Î_t = G(I_s, L_s, L_t)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.config import GeneratorConfig


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
