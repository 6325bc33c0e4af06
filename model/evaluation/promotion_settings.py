"""What a generator has to reach to become champion, as settings: the measures that count and their margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mien.model.configuration.bounds import Count, NotNegative, check_bounds

Measure = Literal[
    "l1", "ssim", "mouth_l1", "eye_l1", "nme", "found", "sharpness_gap", "identity_distance", "other_similarity",
    "cross_identity_distance", "cross_other_similarity", "leak",
]  # fmt: skip
MEASURES: tuple[Measure, ...] = get_args(Measure)

VALIDATION_METRIC: Measure = "l1"
"""What has to be better, lower."""
HIGHER_IS_BETTER = frozenset[Measure]({"ssim", "found", "other_similarity", "cross_other_similarity"})
ABSOLUTE = HIGHER_IS_BETTER | frozenset[Measure]({"leak", "sharpness_gap"})
"""Measures with a scale of their own; the margins of the others are relative."""

Baseline = Literal["copy", "warp"]


@dataclass(frozen=True)
class PromotionSettings:
    """Which generators become champion. A margin is how much worse than the best champion there ever was a new one may
    be, by each measure but L1, by which it has to win."""

    min_updates: Count = 100
    """Updates of a generator before it may be champion. Over the first hundred the learning rates only rise."""
    baselines: tuple[Baseline, ...] = ("copy", "warp")
    """What a champion has to beat by L1 on people whom it never saw, and must not be blurred beside."""
    max_blur: NotNegative = 0.8
    """How much farther than a baseline's the sharpness of generated faces may be from that of the photos that they
    should be: a difference of mean absolute logarithms of the ratio; 0.8 is a factor of 2.2."""
    ssim: NotNegative = 0.005
    """Absolute."""
    mouth_l1: NotNegative = 0.02
    """Relative. The mouth is where expressions are seen: less is forgiven than elsewhere."""
    eye_l1: NotNegative = 0.02
    """Relative."""
    nme: NotNegative = 0.05
    """Relative. Landmarks found on two pictures of one face differ by more than this."""
    found: NotNegative = 0.01
    """Absolute: share of results with a face. What has none is in no other mean that needs one."""
    sharpness_gap: NotNegative = 0.05
    """Absolute: mean absolute logarithm of the sharpness of a result over that of the photo that it should be."""
    identity_distance: NotNegative = 0.03
    """Relative; to the target photo, same person."""
    other_similarity: NotNegative = 0.02
    """Absolute; to the target photo, same person, by the setting `embedder`."""
    cross_identity_distance: NotNegative = 0.03
    """Relative; to the source, with another person's expression."""
    cross_other_similarity: NotNegative = 0.02
    """Absolute; to the source, with another person's expression, by the setting `embedder`."""
    leak: NotNegative = 0.02
    """Absolute: share of results nearer to the driver than to the source."""
    embedder: str | None = None
    """A second detector, named as in prepare, whose embedding judges identity too: one that training does not learn
    from, such as insightface: and a pack. Training learns from dlib's."""

    def __post_init__(self) -> None:
        check_bounds(self)

    def allowed(self, measure: Measure, best: float) -> float:
        """How much worse than the best value a value may be."""
        margin: float = getattr(self, measure)
        return margin if measure in ABSOLUTE else margin * abs(best)
