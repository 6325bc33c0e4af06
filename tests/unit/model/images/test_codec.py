from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mien.model.errors import ImageError
from mien.model.images import codec as images
from mien.model.images.codec import decode_rgb, encode_png, image_size_px, resize_rgb

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def encoded(array: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_as_they_were(kind: str) -> None:
    assert np.array_equal(decode_rgb(encoded(RGB, kind)), RGB)
    assert image_size_px(encoded(RGB, kind)) == (20, 12)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_alike(kind: str) -> None:
    smooth = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    assert np.abs(decode_rgb(encoded(smooth, kind, quality=95)).astype(int) - smooth).mean() < 6


def test_png_is_deterministic_and_lossless() -> None:
    assert encode_png(RGB) == encode_png(RGB.copy())
    assert np.array_equal(decode_rgb(encode_png(RGB)), RGB)


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90° clockwise to see it upright
    data = encoded(RGB, "PNG", exif=exif)
    assert image_size_px(data) == (12, 20)
    assert np.array_equal(decode_rgb(data), np.rot90(RGB, -1))


def test_grey_is_repeated_in_each_channel() -> None:
    grey = RGB[..., 0]
    assert np.array_equal(decode_rgb(encoded(grey, "PPM")), np.repeat(grey[..., None], 3, 2))


def test_16_bits_are_scaled() -> None:
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert decode_rgb(encoded(wide, "PNG"))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparent_pixels_are_white() -> None:
    layer = np.zeros((4, 4, 4), np.uint8)
    layer[0, 0] = 10, 20, 30, 255
    out = decode_rgb(encoded(layer, "PNG"))
    assert out[0, 0].tolist() == [10, 20, 30]
    assert out[3, 3].tolist() == [255, 255, 255]


def test_cmyk_and_palettes_become_rgb() -> None:
    assert decode_rgb(encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"))[0, 0].tolist() == [255, 0, 0]
    few = Image.fromarray(RGB).quantize(8)
    assert np.array_equal(decode_rgb(encoded(few, "PNG")), np.asarray(few.convert("RGB")))
    few.putpixel((0, 0), 3)
    assert decode_rgb(encoded(few, "PNG", transparency=3))[0, 0].tolist() == [255, 255, 255]


def test_first_frame_of_a_gif() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_rgb(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"not a picture", "not a picture"),
        (encoded(np.zeros((200, 200, 3), np.uint8), "PNG")[:120], "damaged"),
        (encoded(np.tile(RGB, (20, 20, 1)), "JPEG")[:3000], "damaged"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        decode_rgb(data)
    assert "\n" not in str(caught.value)


def test_too_many_pixels_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_PIXELS", 100)
    with pytest.raises(ImageError, match="20×12"):
        decode_rgb(encoded(RGB, "PNG"))


def test_resizing_keeps_the_mean_and_the_type() -> None:
    square = np.tile(RGB[:, :12], (4, 4, 1))
    small = resize_rgb(square, 12)
    assert small.shape == (12, 12, 3)
    assert abs(float(small.mean()) - float(square.mean())) < 1
    assert resize_rgb(square, 48) is square
