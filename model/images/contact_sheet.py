"""Sheets of sample images for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

GUTTER_PX = 2
HEADER_PX = 18
PAPER = 255
INK = (40, 40, 40)


def sample_grid(
    columns: Sequence[UInt8[np.ndarray, "rows height width 3"]], captions: Sequence[str]
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """One sheet: a captioned column per entry (source, target, result, …), a row per sample, thin gutters.

    Raises:
        ValueError: columns and captions differ in number, or columns in shape.
    """
    if len(columns) != len(captions) or len({column.shape for column in columns}) != 1:
        raise ValueError("a sheet needs columns of one shape and a caption for each")
    return np.concatenate([_column(*pair) for pair in zip(columns, captions, strict=True)], axis=1)


def _column(
    images: UInt8[np.ndarray, "rows height width 3"], caption: str
) -> UInt8[np.ndarray, "sheet_height width_ 3"]:
    framed = np.pad(images, ((0, 0), (0, GUTTER_PX), (0, GUTTER_PX), (0, 0)), constant_values=PAPER)
    header = np.full((HEADER_PX, framed.shape[2], 3), PAPER, np.uint8)
    cv2.putText(header, caption, (2, HEADER_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return np.concatenate([header, framed.reshape(-1, *framed.shape[2:])])
