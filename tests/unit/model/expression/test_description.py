"""Words for expressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mien.model.expression.clusters import FIRST_POINT, expression_offsets
from mien.model.expression.description import described
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth


def raised_brows(shape: np.ndarray) -> np.ndarray:
    shape = shape.copy()
    shape[17:27, 1] -= 0.1
    return shape


def frowning(shape: np.ndarray) -> np.ndarray:
    shape = shape.copy()
    shape[17:27, 1] += 0.06
    return shape


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda shape: shape, "calm"),
        (lambda shape: opened_mouth(shape, 0.12), "mouth open"),
        (lambda shape: opened_mouth(shape, 0.4), "mouth wide open"),
        (closed_eyes, "eyes closed"),
        (raised_brows, "brows up"),
        (frowning, "brows down"),
        (lambda shape: narrow_mouth(shape, 0.8), "mouth narrow"),
        (lambda shape: raised_brows(opened_mouth(shape, 0.4)), "mouth wide open, brows up"),
    ],
)
def test_what_a_shape_moves_is_said(made: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    moved = made(neutral()) - neutral()
    assert described(moved[FIRST_POINT:].ravel()) == words


def test_what_a_photo_moves_is_said() -> None:
    points = np.stack([in_crop(shape) for shape in (*[neutral()] * 5, opened_mouth(neutral(), 0.4))])
    offsets = expression_offsets(points, np.zeros(6, np.int64))
    assert described(offsets[0]) == "calm"
    assert described(offsets[-1]).startswith("mouth wide open")
