"""What the two discriminators learn from. Free of torch, so that settings are read without loading it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.model.configuration.bounds import NotNegative, check_bounds


@dataclass(frozen=True)
class DiscriminatorSettings:
    """What D_id and D_e see and learn beside the pairs of the patent. docs/model.md shows what each one does."""

    own_augmentation: bool = True
    """D_id's photo of the person is changed by an augmentation of its own: changed as the other picture of its pair,
    light and placement would tell that the two belong together."""
    third_photo: bool = True
    """That photo is neither the source nor the target, where the person has a third one: what was made from the source
    is more like it than the target photo is."""
    swapped: NotNegative = 0.5
    """Weight of pictures with somebody else's face in D_id's loss: another person. Before the generator starts they
    count 1, if this is not 0."""
    changed_parts: NotNegative = 0.5
    """Weight of landmarks of which one part (lids, mouth, brows, gaze) was changed in D_e's loss: no match. Likewise 1
    before the generator starts."""
    openings: bool = True
    """D_e sees beside the heatmaps how much of each pixel is to lie in the open mouth or in an open eye."""
    cross: bool = True
    """The discriminators learn in cross-person updates too; otherwise only the generator does."""

    def __post_init__(self) -> None:
        check_bounds(self)


PATENT_DISCRIMINATORS = DiscriminatorSettings(
    own_augmentation=False, third_photo=False, swapped=0.0, changed_parts=0.0, openings=False, cross=False
)
"""The pairs of the patent and nothing else."""
