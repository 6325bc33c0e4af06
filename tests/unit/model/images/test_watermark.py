"""The watermark on real photos: found after damage, in no picture that has none, and not seen."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.model.errors import WatermarkError
from mien.model.images import watermark
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import encode_image
from mien.model.images.watermark import (
    MIN_PX,
    add_unread_watermark,
    add_watermark,
    check_watermarking,
    find_watermark,
    read_values,
)
from mien.model.images.watermark_code import word_of
from tests.sample_faces import orl_photos

NUMBER = 48213


def photo(n: int, side_px: int) -> np.ndarray:
    """A face in colours that no grey photo has, so that all channels count."""
    grey = cv2.resize(orl_photos(4)[n], (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.clip(grey * np.array([1.0, 0.85, 0.75]) + np.array([0, 8, 16]), 0, 255).astype(np.uint8)


def jpeg(rgb: np.ndarray) -> np.ndarray:
    return decode_rgb(encode_image(rgb, "jpeg", {}, 80))


def cropped(rgb: np.ndarray) -> np.ndarray:
    side = rgb.shape[0] * 9 // 10
    return np.ascontiguousarray(rgb[7 : 7 + side, 3 : 3 + side])


def marked(rgb: np.ndarray) -> np.ndarray:
    made = add_watermark(rgb, NUMBER)
    assert made is not None
    return made


@pytest.mark.parametrize("n", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_mark_at_256_px_survives_jpeg_and_crop(n: int) -> None:
    plain = photo(n, 256)
    made = marked(plain)
    for damaged in (made, jpeg(made), cropped(made), jpeg(cropped(made))):
        found = find_watermark(damaged)
        assert found is not None
        assert found.number == NUMBER
    assert ((read_values(made) > 0) == word_of(NUMBER)).mean() >= 31 / 32
    assert 10 * np.log10(255**2 / np.mean((made.astype(float) - plain) ** 2)) > 36
    assert np.abs(made.astype(float) - plain).mean() < 4


def test_a_mark_at_128_px_survives_jpeg_and_a_change_of_size() -> None:
    made = marked(photo(2, 128))
    for damaged in (made, jpeg(made), cv2.resize(made, (256, 256), interpolation=cv2.INTER_CUBIC)):
        found = find_watermark(damaged)
        assert found is not None
        assert found.number == NUMBER


@pytest.mark.long
def test_a_large_photo_is_marked_at_its_own_size() -> None:
    large = cv2.resize(photo(3, 256), (1000, 800), interpolation=cv2.INTER_CUBIC)
    made = marked(large)
    assert made.shape == large.shape
    for damaged in (jpeg(made), np.ascontiguousarray(made[40:760, 50:950])):
        found = find_watermark(damaged)
        assert found is not None
        assert found.number == NUMBER


def test_pictures_without_a_mark_have_none() -> None:
    random = np.random.default_rng(0)
    plain = [photo(n, side_px) for n in range(2) for side_px in (96, 128)]
    noise = [random.integers(0, 256, (96, 96, 3)).astype(np.uint8) for _ in range(2)]
    for rgb in [*plain, *noise, np.zeros((96, 96, 3), np.uint8), np.full((96, 96, 3), 255, np.uint8)]:
        assert find_watermark(rgb) is None
        assert find_watermark(rgb, frozenset({1, NUMBER})) is None


def test_the_mark_of_another_export_is_not_taken_for_a_known_one() -> None:
    made = marked(photo(1, 128))
    assert find_watermark(made, frozenset({NUMBER ^ 1, 5, 77})) is None
    found = find_watermark(made, frozenset({5, NUMBER}))
    assert found is not None
    assert found.number == NUMBER


def test_what_cannot_hold_a_mark_is_not_called_marked() -> None:
    assert add_watermark(photo(0, MIN_PX - 1), NUMBER) is None
    assert find_watermark(photo(0, MIN_PX - 1)) is None
    white = add_watermark(np.full((128, 128, 3), 255, np.uint8), NUMBER)
    if white is not None:  # then it is there
        found = find_watermark(jpeg(white))
        assert found is not None
        assert found.number == NUMBER


def test_a_mark_that_nobody_looks_for_is_in_every_picture() -> None:
    plain = np.full((MIN_PX, MIN_PX, 3), 128, np.uint8)
    assert add_watermark(plain, NUMBER) is None  # where it could not be read again
    changes = [np.abs(add_unread_watermark(rgb, NUMBER).astype(int) - rgb) for rgb in (plain, photo(0, 96))]
    assert all(0 < change.mean() < 8 for change in changes)


def test_the_same_picture_and_number_give_the_same_pixels() -> None:
    assert (marked(photo(0, 96)) == marked(photo(0, 96))).all()


def test_without_its_networks_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def elsewhere(name: str) -> ModuleSpec | None:
        return ModuleSpec(name, None, origin=str(tmp_path / "__init__.py"))

    monkeypatch.setattr(watermark, "find_spec", elsewhere)
    with pytest.raises(WatermarkError, match=r"pip install --no-deps invisible-watermark==0\.2\.0$"):
        check_watermarking()
    (tmp_path / "rivagan_encoder.onnx").write_bytes(b"other weights")
    with pytest.raises(WatermarkError, match="is not the file of invisible-watermark"):
        check_watermarking()
    monkeypatch.setattr(watermark, "find_spec", lambda _: None)
    with pytest.raises(WatermarkError, match="pip install --no-deps"):
        check_watermarking()
    assert importlib.util.find_spec("imwatermark") is not None
