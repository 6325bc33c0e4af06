"""D_p."""

from __future__ import annotations

import torch

from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.networks.patch_discriminator import PatchDiscriminator
from mien.model.warping.patches import PATCHED, patch_corners, patch_side


def points(batch: int) -> torch.Tensor:
    one = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128))).float()[None] / 64 - 1
    return one.repeat(batch, 1, 1)


def pictures(batch: int, side_px: int) -> torch.Tensor:
    return torch.rand(batch, 3, side_px, side_px, generator=torch.Generator().manual_seed(3)) * 2 - 1


def discriminator() -> PatchDiscriminator:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return PatchDiscriminator(8)


def test_it_answers_for_positions_of_three_patches_of_each_picture_at_any_side() -> None:
    for side_px in (64, 128, 256):
        positions = round(patch_side(side_px) / 8) ** 2
        assert discriminator()(pictures(2, side_px), points(2)).shape == (2 * len(PATCHED), positions)


def test_it_sees_nothing_but_mouth_and_eyes() -> None:
    image, judge = pictures(1, 64), discriminator()
    changed, side_px = image.clone(), patch_side(64)
    outside = torch.ones(64, 64, dtype=torch.bool)
    for column, row in patch_corners(points(1), 64)[0].tolist():
        outside[row : row + side_px, column : column + side_px] = False
    assert outside.any()
    changed[..., outside] = 0
    assert torch.equal(judge(image, points(1)), judge(changed, points(1)))
    changed[..., ~outside] = 0
    assert not torch.equal(judge(image, points(1)), judge(changed, points(1)))


def test_it_is_told_which_region_it_sees() -> None:
    """The same pixels everywhere: only what is told can differ."""
    logits = discriminator()(torch.full((1, 3, 64, 64), 0.5), points(1))
    assert not torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[1], logits[2])


def test_fine_detail_counts_more_than_the_light() -> None:
    """Stripes of a fiftieth of the contrast change more of what it sees than a tenth more light."""
    image, judge = torch.zeros(1, 3, 64, 64), discriminator()
    stripes = image.clone()
    stripes[..., ::2] = 0.01
    stripes[..., 1::2] = -0.01
    plain, striped, lighter = (judge.features(each, points(1))[0] for each in (image, stripes, image + 0.01))
    assert (striped - plain).abs().mean() > 2 * (lighter - plain).abs().mean()
