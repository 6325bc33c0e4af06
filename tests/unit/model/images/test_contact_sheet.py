"""Sample sheets hold each image where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.images.contact_sheet import GUTTER_PX, HEADER_PX, sample_grid


def test_columns_stand_side_by_side_under_their_captions() -> None:
    shades = [np.full((3, 32, 40, 3), shade, np.uint8) for shade in (10, 90)]
    sheet = sample_grid(shades, ["source", "drawn"])
    assert sheet.shape == (HEADER_PX + 3 * (32 + GUTTER_PX), 2 * (40 + GUTTER_PX), 3)
    assert (sheet[HEADER_PX : HEADER_PX + 32, :40] == 10).all()
    assert (sheet[HEADER_PX + 32 + GUTTER_PX :, 40 + GUTTER_PX : -GUTTER_PX][:32] == 90).all()
    assert (sheet[HEADER_PX + 32 : HEADER_PX + 32 + GUTTER_PX] == 255).all()
    assert sheet[:HEADER_PX].min() < 255  # something is written there


def test_a_caption_per_column() -> None:
    with pytest.raises(ValueError, match="a caption for each"):
        sample_grid([np.zeros((1, 8, 8, 3), np.uint8)], ["source", "drawn"])
