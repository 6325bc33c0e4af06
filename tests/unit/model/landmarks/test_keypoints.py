"""Mirrored faces show left parts on the right."""

from __future__ import annotations

import torch

from mien.model.landmarks.keypoints import KeypointInfo, heatmaps_to_float, part_mirror
from mien.model.landmarks.schemes import PARTS


def test_part_mirror_swaps_left_and_right_parts_and_keeps_the_rest() -> None:
    for part, mirrored in zip(PARTS, part_mirror(), strict=True):
        swapped = part.replace("left", "*").replace("right", "left").replace("*", "right")
        assert PARTS[mirrored] == swapped


def test_only_the_chosen_faces_are_mirrored() -> None:
    heatmaps, points = torch.zeros(2, len(PARTS), 4, 4), torch.zeros(2, 68, 2)
    heatmaps[:, PARTS.index("left_eye"), 1, 0] = 1
    points[:, 36] = torch.tensor([-0.5, 0.25])
    flipped = KeypointInfo(heatmaps, points).flipped(torch.tensor([True, False]))
    assert flipped.heatmaps[0, PARTS.index("right_eye"), 1, 3] == 1
    assert flipped.heatmaps[0].sum() == 1
    assert flipped.points[0, 45].tolist() == [0.5, 0.25]
    assert torch.equal(flipped.heatmaps[1], heatmaps[1])
    assert torch.equal(flipped.points[1], points[1])


def test_cached_heatmaps_become_zero_to_one() -> None:
    cached = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert heatmaps_to_float(cached).flatten().tolist() == [0, torch.tensor(0.2).item(), 1]
