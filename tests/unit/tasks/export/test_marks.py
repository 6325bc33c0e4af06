"""The marks of an export in each format: watermark, mien's own mark and signature, in this order."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.model.images.codec import decode_rgb
from mien.model.images.credentials import read_credentials
from mien.model.images.provenance import IMAGE_FORMATS, ImageFormat, encode_image, read_provenance
from mien.model.images.watermark import find_watermark
from mien.tasks.errors import UsageError
from mien.tasks.export.marks import Marks, PictureEncoder, marks_of, number_of
from mien.tasks.transfer.settings import OutputSettings
from tests.certificates import make_signed
from tests.sample_faces import orl_photos

MARK = {"generator": "models:/g/1", "source": "ab", "output": "cd"}


def face(side_px: int = 128) -> np.ndarray:
    return cv2.resize(orl_photos(4)[0], (side_px, side_px), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def row_of(image_format: ImageFormat, side_px: int = 128) -> Any:
    data = encode_image(face(side_px), image_format, MARK)
    return {"image": data, "image_format": image_format, "settings": "s", "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_each_format_holds_all_marks(image_format: ImageFormat, tmp_path: Path) -> None:
    marks = marks_of("table", make_signed(tmp_path).option, watermark=True, number=None)
    encoder = PictureEncoder(marks, {"s": OutputSettings(image_format)}, edited=False)
    row = row_of(image_format)
    (done,) = encoder.signed(encoder.watermarked([row]))
    data = done["image"]
    assert data is not None
    assert encoder.unmarked == 0
    assert done["sha256"] == hashlib.sha256(data).hexdigest() != row["sha256"]
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == image_format.upper()
    assert read_provenance(data) == MARK | {"synthetic": "true"}
    credentials = read_credentials(data)
    assert credentials is not None
    assert (credentials.state, credentials.facts) == ("valid", MARK)
    found = find_watermark(decode_rgb(data))
    assert found is not None
    assert found.number == number_of("table") == marks.watermark


def test_a_picture_that_cannot_hold_the_watermark_is_counted_and_left_as_it_is() -> None:
    encoder = PictureEncoder(Marks(watermark=7), {"s": OutputSettings("jpeg")}, edited=False)
    small = row_of("jpeg", 48)
    assert encoder.watermarked([small]) == [small]
    assert encoder.unmarked == 1


def test_an_export_without_marks_is_decided_by_what_decided_it_before_there_were_any() -> None:
    assert marks_of("table", None, watermark=False, number=None).about() == {}
    row = row_of("png")
    encoder = PictureEncoder(Marks(), {"s": OutputSettings("png")}, edited=False)
    assert encoder.signed(encoder.watermarked([row])) == [row]
    assert Marks(watermark=1).about() != Marks(watermark=2).about()


def test_a_number_without_a_watermark_is_refused() -> None:
    with pytest.raises(UsageError, match="give --watermark, too"):
        marks_of("table", None, watermark=False, number=7)
    assert marks_of("table", None, watermark=True, number=7).watermark == 7
    assert len({number_of(f"{n}") for n in range(50)}) >= 49
