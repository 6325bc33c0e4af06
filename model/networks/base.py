"""What every kind of generator is: Î_t = G({(I_s, L_s)}, L_t), from one photo of a person or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.networks.config import GeneratorConfig


class Sources(NamedTuple):
    """Photos of the person of each row: as many for all, of which some may only fill up."""

    photos: Float[Tensor, "batch sources 3 side side"]
    """I_s in [-1, 1], of any side."""
    heatmaps: Float[Tensor, "batch sources parts heatmap_side heatmap_side"]
    points: Float[Tensor, "batch sources 68 2"]
    """The common landmarks of each, in [-1, 1] over the crop."""
    present: Bool[Tensor, "batch sources"]
    """False for what only fills up: it has no effect. The first is always there."""

    @staticmethod
    def single(photo: Float[Tensor, "batch 3 side side"], keypoints: KeypointInfo) -> Sources:
        """One photo for each row."""
        return Sources.stacked([photo], [keypoints])

    @staticmethod
    def stacked(photos: Sequence[Tensor], keypoints: Sequence[KeypointInfo], present: Tensor | None = None) -> Sources:
        """The first photo of each row, the second, and so on, all of them there unless `present` says otherwise."""
        if present is None:
            present = torch.ones(len(photos[0]), len(photos), dtype=torch.bool, device=photos[0].device)
        heatmaps, points = (torch.stack(of_all, 1) for of_all in zip(*keypoints, strict=True))
        return Sources(torch.stack(list(photos), 1), heatmaps, points, present)

    @property
    def per_row(self) -> int:
        """Photos for each row, with those that only fill up."""
        return self.present.shape[1]

    @property
    def photo(self) -> Float[Tensor, "batch 3 side side"]:
        """The first of each row."""
        return self.photos[:, 0]

    @property
    def keypoints(self) -> KeypointInfo:
        """L_s of the first of each row."""
        return KeypointInfo(self.heatmaps[:, 0], self.points[:, 0])

    @property
    def all_keypoints(self) -> KeypointInfo:
        """L_s of all photos, row by row."""
        return KeypointInfo(self.heatmaps.flatten(0, 1), self.points.flatten(0, 1))


class Motion(NamedTuple):
    """What a motion generator made its image of; a value for each source."""

    grid: Float[Tensor, "batch sources fine fine 2"]
    """Backward flow from the result to each source, at the finest grid of the network."""
    residual: Float[Tensor, "batch sources 2 fine fine"]
    """What the network added to the spline, in [-1, 1] over the crop."""
    masks: Float[Tensor, "batch sources 1 size size"]
    """How much of each moved source is shown; together at most 1, and 0 of what only fills up."""
    warped: Float[Tensor, "batch sources 3 side side"]
    """The moved sources, of the side of the image."""
    drawn: Float[Tensor, "batch 3 size size"]
    """It is added with a weight of its own."""


class Generated(NamedTuple):
    """What a generator returns."""

    image: Float[Tensor, "batch 3 side side"]
    """Î_t in [-1, 1]."""
    motion: Motion | None = None
    """Of kinds that move the source."""


class Generator(nn.Module, ABC):
    """Base of all kinds: the same inputs, the same output, a config that rebuilds it."""

    ENDS: ClassVar[tuple[str, ...]]
    """Names of the layers that take pictures in and put pictures or motion out; all others pass features on."""

    COMBINES: ClassVar[bool]
    """Whether it looks at more than the first source."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, sources: Sources, target: KeypointInfo, side_px: int | None = None) -> Generated:
        """The person of the sources with the expression of `target`.

        Args:
            sources: Photos of the person, the one that is to be followed in all else first.
            target: L_t.
            side_px: Side of the image; the config's size if None.
        """

    @staticmethod
    def upgraded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights as this version of the code has them, from those of any earlier one."""
        return dict(weights)
