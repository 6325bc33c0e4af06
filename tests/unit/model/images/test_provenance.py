"""Generated pictures say what they are, in each format, and the same pixels give the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import IMAGE_FORMATS, ImageFormat, encode_image, read_provenance

TOLD = {"model": "models:/mien-generator/3", "source": "ab12", "driver": 'x < "y" & Grüße 漢'}


def picture() -> np.ndarray:
    across, down = np.meshgrid(np.arange(64), np.arange(48))
    return np.stack([across * 4, down * 5, across + down], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_a_picture_carries_where_it_comes_from(image_format: ImageFormat) -> None:
    data = encode_image(picture(), image_format, TOLD)
    assert read_provenance(data) == {**TOLD, "synthetic": "true"}
    assert encode_image(picture(), image_format, TOLD) == data
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == image_format.upper()
    assert np.abs(decode_rgb(data).astype(int) - picture()).mean() < 2


def test_png_and_webp_of_full_quality_lose_nothing() -> None:
    assert (decode_rgb(encode_image(picture(), "png", TOLD)) == picture()).all()
    assert (decode_rgb(encode_image(picture(), "webp", TOLD, quality=100)) == picture()).all()


def test_png_has_it_in_plain_text() -> None:
    with Image.open(io.BytesIO(encode_image(picture(), "png", TOLD))) as opened:
        assert opened.info["synthetic"] == "true"
        assert opened.info["model"] == TOLD["model"]


def test_lower_quality_is_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for image_format in ("jpeg", "webp"):
        assert len(encode_image(noise, image_format, {}, 40)) < len(encode_image(noise, image_format, {}, 95))


def test_other_pictures_have_no_provenance() -> None:
    plain = io.BytesIO()
    Image.fromarray(picture()).save(plain, "PNG")
    assert read_provenance(plain.getvalue()) == {}
    other = io.BytesIO()
    Image.fromarray(picture()).save(other, "JPEG", xmp=b"<not xml")
    assert read_provenance(other.getvalue()) == {}
    with pytest.raises(ImageError, match="not a picture"):
        read_provenance(b"nothing")
