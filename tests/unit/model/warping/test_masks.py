"""Regions against boxes computed by hand."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.warping.masks import Region, region_boxes, region_mask


def _face() -> torch.Tensor:
    """All landmarks in the middle, but for a mouth of 0.4 × 0.2 and eyes 0.2 wide and closed."""
    points = torch.zeros(1, 68, 2)
    points[0, 48:68] = torch.tensor([0.0, 0.5])
    points[0, 48], points[0, 54] = torch.tensor([-0.2, 0.5]), torch.tensor([0.2, 0.5])
    points[0, 51], points[0, 57] = torch.tensor([0.0, 0.4]), torch.tensor([0.0, 0.6])
    for first, x in ((36, -0.5), (42, 0.3)):
        points[0, first : first + 6, 0] = torch.linspace(x, x + 0.2, 6)
        points[0, first : first + 6, 1] = -0.25
    return points


def test_mouth_box_grows_by_a_quarter_of_its_width_on_each_side() -> None:
    assert torch.allclose(region_boxes(_face(), "mouth"), torch.tensor([[[-0.3, 0.3, 0.3, 0.7]]]))


def test_each_eye_has_a_box_with_room_for_the_open_eye() -> None:
    expected = torch.tensor([[[-0.58, -0.33, -0.22, -0.17], [0.22, -0.33, 0.58, -0.17]]])
    assert torch.allclose(region_boxes(_face(), "eyes"), expected)


def test_mask_covers_the_pixels_whose_centre_is_inside() -> None:
    mask = region_mask(_face(), 20, "mouth")[0, 0]  # pixels of 0.1: the centres −0.25 … 0.25 and 0.35 … 0.65
    expected = torch.zeros(20, 20)
    expected[13:17, 7:13] = 1
    assert torch.equal(mask, expected)


def test_mask_of_the_eyes_joins_both() -> None:
    mask = region_mask(_face(), 20, "eyes")[0, 0]
    assert mask.amax(1).nonzero()[:, 0].tolist() == [7]  # only −0.25 lies within −0.33 … −0.17
    assert mask[7].nonzero()[:, 0].tolist() == [4, 5, 6, 7, 12, 13, 14, 15]  # ±0.25 … ±0.55


@pytest.mark.parametrize("region", get_args(Region))
def test_each_face_of_a_batch_has_its_own_region(region: Region) -> None:
    reference = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128)) / 64 - 1).float()[None]
    moved = reference + 0.25
    both = region_mask(torch.cat([reference, moved]), 128, region)
    assert torch.equal(both[:1], region_mask(reference, 128, region))
    assert torch.equal(both[1, 0, 16:, 16:], both[0, 0, :-16, :-16])


def test_region_outside_the_picture_is_empty() -> None:
    assert region_mask(_face() + 2, 16, "mouth").sum() == 0


def test_regions_of_the_reference_face_do_not_meet() -> None:
    reference = torch.from_numpy(reference_landmarks(AlignmentSettings(size_px=128)) / 64 - 1).float()[None]
    mouth, eyes = (region_mask(reference, 128, region) for region in ("mouth", "eyes"))
    assert float((mouth * eyes).sum()) == 0
    assert 0.02 < float(mouth.mean()) < 0.2
    assert 0.02 < float(eyes.mean()) < 0.2
