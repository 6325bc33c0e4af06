"""Photos and keypoints stay together when both are moved."""

from __future__ import annotations

import numpy as np
import torch

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.training.augmentation import draw_changes
from mien.model.training.settings import AugmentationSettings

PLAIN = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def marked(x: int, y: int, size_px: int = 64) -> tuple[torch.Tensor, KeypointInfo]:
    """A photo with a bright spot, its heatmap, and the position of the spot as all 68 points."""
    rows, columns = torch.meshgrid(torch.arange(size_px), torch.arange(size_px), indexing="ij")
    spot = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0)
    position = (torch.tensor([x, y]) + 0.5) / size_px * 2 - 1
    return (spot * 2 - 1).expand(1, 3, -1, -1), KeypointInfo(spot.expand(1, 8, -1, -1), position.expand(1, 68, -1))


def peak(maps: torch.Tensor) -> list[float]:
    """(x, y) of the brightest pixel in [-1, 1]."""
    row, column = divmod(int(maps[0, 0].argmax()), maps.shape[-1])
    return [(column + 0.5) / maps.shape[-1] * 2 - 1, (row + 0.5) / maps.shape[-1] * 2 - 1]


def test_without_any_change_everything_stays() -> None:
    photo, keypoints = marked(20, 40)
    changes = draw_changes(PLAIN, 1, np.random.default_rng(0), "cpu")
    torch.testing.assert_close(changes.photos(photo), photo)
    torch.testing.assert_close(changes.keypoints(keypoints).heatmaps, keypoints.heatmaps)
    torch.testing.assert_close(changes.keypoints(keypoints).points, keypoints.points)


def test_photo_heatmap_and_points_move_together() -> None:
    photo, keypoints = marked(24, 38)
    most = AugmentationSettings(
        flip=True, stretch=0.2, rotation_degrees=15.0, shift=0.1, contrast=0.0, brightness=0.0, tint=0.0
    )
    random = np.random.default_rng(1)
    for _ in range(20):
        changes = draw_changes(most, 1, random, "cpu")
        moved = changes.keypoints(keypoints)
        pixel = 2 / 64
        for maps in (changes.photos(photo), moved.heatmaps):
            np.testing.assert_allclose(peak(maps), moved.points[0, 0].tolist(), atol=pixel)


def test_contrast_and_brightness_stay_within_their_bounds() -> None:
    grey = torch.full((200, 3, 8, 8), 0.5)
    light = AugmentationSettings(False, 0.0, 0.0, 0.0, contrast=0.2, brightness=0.1, tint=0.0)
    changed = draw_changes(light, 200, np.random.default_rng(2), "cpu").photos(grey)
    assert 0.5 * 0.8 - 0.1 <= changed.min() < 0.35
    assert 0.65 < changed.max() <= 0.5 * 1.2 + 0.1


def test_a_share_of_the_pairs_is_made_grey_and_the_others_keep_their_colours() -> None:
    colours = torch.tensor([0.5, -0.2, -0.6])[None, :, None, None].expand(200, 3, 4, 4)
    settings = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, grey=0.3, tint=0.0)
    changed = draw_changes(settings, 200, np.random.default_rng(0), "cpu").photos(colours)
    grey = (changed.amax(1) - changed.amin(1)).amax((1, 2)) < 1e-5
    assert 40 < grey.sum() < 80
    torch.testing.assert_close(changed[~grey], colours[~grey])
    luma = 0.299 * 0.5 - 0.587 * 0.2 - 0.114 * 0.6
    torch.testing.assert_close(changed[grey], torch.full_like(changed[grey], luma))


def test_a_tint_changes_each_colour_by_no_more_than_its_bound_and_leaves_black_and_grey_pictures() -> None:
    colours = torch.tensor([0.4, 0.0, -1.0])[None, :, None, None].expand(200, 3, 4, 4)
    tinted = draw_changes(
        AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, grey=0.0, tint=0.1), 200, np.random.default_rng(0), "cpu"
    ).photos(colours)
    shares = (tinted + 1)[:, :2, 0, 0] / torch.tensor([1.4, 1.0])
    assert 0.9 <= shares.min() < 0.92
    assert 1.08 < shares.max() <= 1.1
    assert (shares[:, 0] - shares[:, 1]).abs().max() > 0.1
    assert (tinted[:, 2] + 1).abs().max() < 1e-6
    grey = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, grey=1.0, tint=0.1)
    made = draw_changes(grey, 50, np.random.default_rng(0), "cpu").photos(colours[:50])
    assert (made.amax(1) - made.amin(1)).max() < 1e-5
