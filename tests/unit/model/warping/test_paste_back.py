"""Faces pasted back into photos: nothing changed gives the photo, a change shows, its border does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.model.landmarks.alignment import apply_transform, invert_transform, warp
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.warping.paste_back import paste_back

SIZE_PX = 64
POINTS = reference_landmarks(AlignmentSettings(size_px=SIZE_PX)).astype(np.float64)


def photo() -> np.ndarray:
    """A picture with fine grain and broad shades."""
    draw = np.random.default_rng(0)
    shades = cv2.resize(draw.uniform(60, 190, (5, 6, 3)).astype(np.float32), (300, 260), interpolation=cv2.INTER_CUBIC)
    return np.clip(shades + draw.normal(0, 12, shades.shape), 0, 255).astype(np.uint8)


def to_crop(scale: float, turn: float = 0.2, across: float = 90, down: float = 60) -> np.ndarray:
    """Takes the photo to the crop of a face that lies at (across, down), `scale` times as large as the crop."""
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
    return np.column_stack([linear, -linear @ np.array([across, down])])


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.3])
@pytest.mark.parametrize("across", [90, -20])
def test_an_unchanged_crop_gives_the_photo(scale: float, across: float) -> None:
    image, matrix = photo(), to_crop(scale, across=across)
    pasted = paste_back(image, warp(image, matrix, SIZE_PX), matrix, SIZE_PX, POINTS, POINTS)
    assert np.abs(pasted.astype(int) - image).max() <= 1


def test_a_change_in_the_face_arrives_and_all_else_stays() -> None:
    image, matrix = photo(), to_crop(2.0)
    crop = warp(image, matrix, SIZE_PX)
    mouth = POINTS[48:68].mean(0)
    cv2.circle(crop, tuple(np.rint(mouth).astype(int).tolist()), 6, (255, 0, 0), -1)
    pasted = paste_back(image, crop, matrix, SIZE_PX, POINTS, POINTS)
    x, y = apply_transform(invert_transform(matrix), mouth[None])[0].round().astype(int)
    assert pasted[y, x, 0] > 200
    assert pasted[y, x, 1:].max() < 80
    changed = np.abs(pasted.astype(int) - image).max(2) > 40
    rows, columns = np.nonzero(changed)
    assert np.hypot(rows - y, columns - x).max() < 2.0 * 6 * 2.0
    assert (pasted[:5] == image[:5]).all()


def test_a_head_that_moved_in_the_crop_stays_where_it_is_in_the_photo() -> None:
    shades = np.random.default_rng(0).uniform(30, 220, (26, 30, 3)).astype(np.float32)
    image = cv2.resize(shades, (300, 260), interpolation=cv2.INTER_LINEAR)
    image, matrix = cv2.GaussianBlur(image, (0, 0), 4).astype(np.uint8), to_crop(1.5)
    moves = np.array([[0.93, -0.08, 6.0], [0.08, 0.93, -3.0]])  # smaller, turned, shifted
    moved = moves @ np.vstack([matrix, [0.0, 0.0, 1.0]])
    reached = apply_transform(moves, POINTS)
    pasted = paste_back(image, warp(image, moved, SIZE_PX), matrix, SIZE_PX, POINTS, reached)
    there = paste_back(image, warp(image, moved, SIZE_PX), matrix, SIZE_PX, POINTS, POINTS)
    assert np.abs(pasted.astype(int) - image).max() <= 4
    assert np.abs(there.astype(int) - image).max() > 40  # what it would be where the move is


def test_what_the_returned_crop_does_not_show_is_left_as_it_is() -> None:
    image, matrix = photo(), to_crop(2.0)
    moves = np.array([[1.0, 0.0, 24.0], [0.0, 1.0, 0.0]])  # so far that much of the face has left the crop
    crop = np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)
    pasted = paste_back(image, crop, matrix, SIZE_PX, POINTS, apply_transform(moves, POINTS))
    x, y = apply_transform(invert_transform(matrix), np.array([[SIZE_PX - 20.0, SIZE_PX / 2]]))[0].round().astype(int)
    assert (pasted[y, x + 8 :] == image[y, x + 8 :]).all()


def test_another_light_on_the_crop_leaves_no_seam() -> None:
    image, matrix = photo(), to_crop(2.0)
    crop = np.clip(warp(image, matrix, SIZE_PX).astype(int) + np.array([25, -10, 5]), 0, 255).astype(np.uint8)
    pasted = paste_back(image, crop, matrix, SIZE_PX, POINTS, POINTS).astype(np.float64)
    smooth = cv2.GaussianBlur(pasted - image, (0, 0), 2)
    steps = np.hypot(cv2.Sobel(smooth, cv2.CV_64F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_64F, 0, 1) / 8).max()
    assert steps < 1.0  # a seam of 25 levels would be a step of several a pixel


def test_grain_of_the_photo_stays_where_nothing_changed() -> None:
    image, matrix = photo(), to_crop(3.0, across=40, down=30)
    crop = warp(image, matrix, SIZE_PX)
    crop[40:, :] = np.clip(crop[40:, :].astype(int) + 60, 0, 255)
    pasted = paste_back(image, crop, matrix, SIZE_PX, POINTS, POINTS)
    x, y = apply_transform(invert_transform(matrix), POINTS[27:28])[0].round().astype(int)  # between the eyes
    here = (slice(y - 8, y + 8), slice(x - 8, x + 8))
    grain = [cv2.Laplacian(each[here], cv2.CV_64F).std() for each in (image, pasted)]
    assert grain[1] > 0.8 * grain[0]


def test_a_face_outside_the_photo_changes_nothing() -> None:
    image = photo()
    crop = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    assert (paste_back(image, crop, to_crop(1.0, across=2000), SIZE_PX, POINTS, POINTS) == image).all()


def test_hair_that_came_where_skin_was_does_not_tint_the_face() -> None:
    image, matrix = np.full((260, 300, 3), 150, np.uint8), to_crop(2.0)
    crop = warp(image, matrix, SIZE_PX)
    crop[:, :20] = 20  # as if the head had turned: dark hair along one side of the mask
    pasted = paste_back(image, crop, matrix, SIZE_PX, POINTS, POINTS)
    eyes = apply_transform(invert_transform(matrix), POINTS[[27, 45]]).round().astype(int)
    assert all(np.abs(pasted[y, x].astype(int) - 150).max() <= 3 for x, y in eyes)
