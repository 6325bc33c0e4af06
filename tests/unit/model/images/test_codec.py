from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mien.model.errors import DecoderError, ImageError, ModelError
from mien.model.images import codec, limits
from mien.model.images.codec import decode_rgb, encode_png, image_size_px, resize_rgb
from tests.paths import REPOSITORY

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
    monkeypatch.setattr(limits, "max_pixels", lambda: 100)
    with pytest.raises(ImageError, match="20×12"):
        decode_rgb(encoded(RGB, "PNG"))


def test_resizing_keeps_the_mean_and_the_type() -> None:
    square = np.tile(RGB[:, :12], (4, 4, 1))
    small = resize_rgb(square, 12)
    assert small.shape == (12, 12, 3)
    assert abs(float(small.mean()) - float(square.mean())) < 1
    assert resize_rgb(square, 48) is square


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100})]
)
def test_each_orientation_of_each_format(kind: str, options: dict[str, object], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = np.linspace(0, 255, 12 * 20 * 3).reshape(12, 20, 3).astype(np.uint8)
    turned = upright(smooth, orientation)
    data = encoded(smooth, kind, exif=exif, **options)
    decoded = decode_rgb(data)
    assert image_size_px(data) == (decoded.shape[1], decoded.shape[0])
    assert decoded.shape == turned.shape
    assert np.abs(decoded.astype(int) - turned).mean() < (8 if kind == "JPEG" else 1e-9)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What Pillow, which is another implementation, makes of it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(io.BytesIO(encoded(pixels, "PNG", exif=exif)))
    return np.asarray(ImageOps.exif_transpose(image))


def tiff(array: np.ndarray, **tags: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "TIFF", **tags)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(np.array([[0.0, 0.5, 1.0]], np.float32)), [0, 128, 255]),
        (tiff(np.array([[0.0, 128.0, 255.0]], np.float32)), [0, 128, 255]),
        (tiff(np.array([[0.0, 32896.0, 65535.0]], np.float32)), [0, 128, 255]),
        (tiff(np.array([[0.0, np.nan, 1.0]], np.float32)), [0, 0, 255]),
        (tiff(np.array([[0, 32896, 65535]], np.uint16)), [0, 128, 255]),
        (tiff(np.array([[0, 2048, 4095]], np.uint16)), [0, 128, 255]),
        (tiff(np.array([[0, 512, 1023]], np.uint16), tiffinfo={281: 1023}), [0, 128, 255]),
        (tiff(np.array([[0, 128, 255]], np.int32)), [0, 128, 255]),
    ],
)
def test_pictures_of_more_than_8_bits_are_scaled_by_their_white(data: bytes, expected: list[int]) -> None:
    assert decode_rgb(data)[0, :, 0].tolist() == expected


def twelve_bits(values: list[int]) -> bytes:
    """A grey TIFF of 12 bits a sample, two of which share three bytes."""
    packed = bytes(
        byte
        for a, b in zip(values[::2], values[1::2], strict=True)
        for byte in (a >> 4, (a & 15) << 4 | b >> 8, b & 255)
    )
    entries = [
        (256, len(values)),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, len(packed)),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory + bytes(4)


def test_a_tiff_of_12_bits_is_scaled_or_refused_with_a_reason() -> None:
    assert decode_rgb(twelve_bits([0, 1024, 2048, 4095]))[0, :, 0].tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tiff(np.array([[-1.0, 1.0]], np.float32)), "a picture of values from -1 to 1: save it with 8 or 16 bits"),
        (tiff(np.array([[0.0, 1e6]], np.float32)), "a picture of values up to 1e"),
        (tiff(np.array([[0.0, np.inf]], np.float32)), "a picture of values from 0 to inf"),
        (tiff(np.array([[0, 2**30]], np.int32)), "a picture of values up to"),
        (encoded(Image.new("LAB", (4, 4)), "TIFF"), "Lab colours: save it as RGB"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "a TIFF of a kind that is not read"),
    ],
)
def test_what_does_not_say_what_is_white_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        decode_rgb(data)
    assert caught.value.kind == "content"


def test_a_picture_is_converted_in_bands_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = np.random.default_rng(1).integers(0, 256, (61, 20, 4), dtype=np.uint8)
    few = Image.fromarray(layer[..., :3]).quantize(8)
    pictures = [
        encoded(layer, "PNG"),
        encoded(few, "PNG", transparency=3),
        encoded(Image.fromarray(layer[..., :3]).convert("CMYK"), "TIFF"),
    ]
    whole = [decode_rgb(data) for data in pictures]
    monkeypatch.setattr(codec, "_BAND_PX", 7)
    for data, expected in zip(pictures, whole, strict=True):
        assert np.array_equal(decode_rgb(data), expected)


def test_a_lack_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(codec, "_bands", out_of_memory)
    with pytest.raises(DecoderError, match="not enough memory") as caught:
        decode_rgb(encoded(RGB, "PNG"))
    assert caught.value.kind == "source"


def test_the_limit_on_pixels_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MAX_PIXELS", "239")
    limits.max_pixels.cache_clear()
    try:
        with pytest.raises(ImageError, match="20×12 pixels are more than 239: shrink it first, or set MIEN_MAX_PIXELS"):
            decode_rgb(encoded(RGB, "PNG"))
        monkeypatch.setenv("MIEN_MAX_PIXELS", "lots")
        limits.max_pixels.cache_clear()
        with pytest.raises(ModelError, match="give a whole number above 0"):
            limits.max_pixels()
    finally:
        monkeypatch.undo()
        limits.max_pixels.cache_clear()


MAX_MIB = 1024

SCRIPT = """
import sys
from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
try:
    print(decode_rgb(open(sys.argv[1], "rb").read()).shape)
except ImageError as error:
    print(error)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def decoded_alone(path: Path) -> tuple[str, int]:
    """What decoding a file gives in a process of its own, and its peak in MiB."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True, env=environment
    )
    told, peak = done.stdout.splitlines()
    return told, int(peak)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "JPEG2000"])
def test_the_largest_picture_that_is_decoded_stays_below_a_gigabyte(tmp_path: Path, kind: str) -> None:
    width, height = {"WEBP": (6000, 5000), "JPEG2000": (5000, 4000)}.get(kind, (8000, 6250))
    options = {"JPEG": {"progressive": True}, "WEBP": {"method": 0}, "JPEG2000": {"quality_layers": [100]}}.get(
        kind, {}
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGBA" if kind in ("PNG", "WEBP") else "RGB", (width, height), "red")
    picture.save(tmp_path / "a", kind, **options, **({} if kind == "JPEG2000" else {"exif": exif}))
    told, peak = decoded_alone(tmp_path / "a")
    turned = (height, width) if kind == "JPEG2000" else (width, height)
    assert told == str((*turned, 3))
    assert peak < MAX_MIB


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "F"])
def test_a_picture_of_120_megapixels_is_refused_by_its_header(tmp_path: Path, mode: str) -> None:
    kind = "TIFF" if mode == "F" else "PNG"
    Image.new(mode, (10950, 10950)).save(
        tmp_path / "a", kind, **({"compression": "tiff_adobe_deflate"} if mode == "F" else {})
    )
    told, peak = decoded_alone(tmp_path / "a")
    assert "10950×10950 pixels are more than 50000000" in told
    assert peak < 400


@pytest.mark.parametrize(
    ("kind", "least_px", "height_px"),
    [
        ("JPEG", None, 400),
        ("JPEG", 300, 400),
        ("JPEG", 201, 400),
        ("JPEG", 200, 200),
        ("JPEG", 60, 100),
        ("PNG", 60, 400),
    ],
)
def test_a_large_jpeg_is_decoded_as_small_as_it_may_be(kind: str, least_px: int | None, height_px: int) -> None:
    smooth = np.linspace(0, 255, 600 * 400 * 3).reshape(400, 600, 3).astype(np.uint8)
    data = encoded(smooth, kind)
    pixels = decode_rgb(data, least_px)
    assert pixels.shape == (height_px, height_px * 3 // 2, 3)
    assert (
        np.abs(resize_rgb(pixels[:, :height_px], 40).astype(int) - resize_rgb(decode_rgb(data)[:, :400], 40)).max() < 9
    )
    if kind == "JPEG":
        turned = Image.fromarray(smooth)
        turned.getexif()[0x0112] = 6
        assert decode_rgb(encoded(turned, kind, exif=turned.getexif()), least_px).shape == (*pixels.shape[1::-1], 3)
