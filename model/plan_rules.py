"""What decides a plan, besides the faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from mien.model.configuration.bounds import Bounds, Count, check_bounds
from mien.model.source_choice import SourceChoice


@dataclass(frozen=True)
class PlanningSettings:
    """What a plan tries to vary."""

    max_sources: Count = 64
    """Faces of one identity that take turns as the source, at most."""
    clusters: Count = 8
    """Groups of expressions that a plan covers evenly, where no driver has a label."""
    max_source_share: Annotated[float, Bounds(min=1)] = 1.0
    """How often the nearest photo may be the source, over the mean of the person's photos: with 1 all come equally
    often, with a large number the nearest one always comes."""
    look_similarity: Annotated[float, Bounds(min=-1000, max=1)] | None = None
    """How similar a further source is to the source at least, by the embedding that the faces were prepared with; None:
    `look_similarity` of `model/source_choice.py`. With a very low one every photo of the person may come."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class PlanRules:
    """What decides the candidate orders, besides the faces."""

    seed: int = 0
    max_pose_difference: float | None = None
    """In degrees, of yaw, pitch and roll each, between source and driver; None allows any."""
    same_identity: bool = False
    """Whether a person may get their own expressions; never is a photo both source and driver."""
    source: SourceChoice = "turns"
    """Which of a person's photos is the source: the one whose landmarks are nearest to those that are asked for, all in
    turns, or the same one always."""
    sources: Count = 1
    """Photos of the person that a face is made from, at most."""
    planning: PlanningSettings = field(default_factory=PlanningSettings)
