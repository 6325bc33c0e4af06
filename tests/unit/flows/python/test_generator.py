"""`mien.load`: photos in any form give the same face."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.flows.python import generator
from mien.model import devices
from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.devices import device_in_force, devices_in_force
from mien.model.errors import ImageError, SettingsError
from mien.model.images.codec import encode_png
from mien.model.images.provenance import read_provenance
from mien.storage import StorageError
from mien.tasks.errors import UsageError
from tests.drawn_set import DETECTOR, SIDE_PX, small_generator
from tests.unit.model.inference.test_photo_pair import photo

SOURCE, DRIVER = photo(), photo(height=70)


@pytest.fixture
def model(tmp_path: Path):
    return mien.load(small_generator(tmp_path / "generator"), faces=DETECTOR)


def test_arrays_pictures_bytes_and_paths_give_the_same_face(model, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(SOURCE))
    forms = [SOURCE, Image.fromarray(SOURCE), encode_png(SOURCE), tmp_path / "a.png", str(tmp_path / "a.png")]
    made = [model.transfer(form, DRIVER) for form in forms]
    assert made[0].image.shape == (SIDE_PX, SIDE_PX, 3)
    assert made[0].image.dtype == np.uint8
    assert all(np.array_equal(each.image, made[0].image) for each in made)
    assert made[0].accepted == (made[0].reason is None)
    assert not np.array_equal(model.transfer(SOURCE, DRIVER, strength=1.5).image, made[0].image)


def test_several_photos_of_a_person_and_another_size(model) -> None:
    alone, both = model.transfer([SOURCE], DRIVER), model.transfer((SOURCE, photo(height=60)), DRIVER)
    assert np.array_equal(alone.image, model.transfer(SOURCE, DRIVER).image)
    assert not np.array_equal(both.image, alone.image)
    red = photo()
    red[red[..., 0] < 128] = (120, 10, 10)
    without = model.transfer([SOURCE, red], DRIVER, output_size=96)
    assert without.image.shape == (96, 96, 3)
    assert without.notes[0].startswith("source 2 is left out: it seems to show somebody else")
    assert both.notes == ()
    blank = model.transfer([SOURCE, np.full((50, 60, 3), 240, np.uint8)], DRIVER)
    assert blank.reason == "source 2: no face found: use a photo with one clearly visible face"
    for wrong, told in (({"output_size": 32}, "64 to 1024"), ({"source": []}, "not of 0")):
        with pytest.raises(SettingsError, match=told):
            model.transfer(**{"source": SOURCE, "driver": DRIVER, **wrong})


def test_a_picture_of_pillow_is_read_as_its_file_is(model) -> None:
    turned, clear = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(SOURCE)).save(turned, "PNG", exif=exif)
    layer = Image.fromarray(SOURCE).convert("RGBA")
    layer.putalpha(Image.fromarray((SOURCE[..., 0] < 200).astype(np.uint8) * 255))
    layer.save(clear, "PNG")
    for file in (turned, clear):
        opened = Image.open(io.BytesIO(file.getvalue()))
        assert np.array_equal(model.transfer(opened, DRIVER).image, model.transfer(file.getvalue(), DRIVER).image)
    with pytest.raises(ImageError, match="mode I;16"):
        model.transfer(Image.fromarray(SOURCE[..., 0].astype(np.uint16)), DRIVER)


@pytest.mark.parametrize(
    "wrong",
    [SOURCE / 255, SOURCE[..., 0], SOURCE.transpose(2, 0, 1), np.zeros((0, 5, 3), np.uint8), 7, None, b"nothing"],
    ids=["floats", "grey", "channels first", "empty", "number", "none", "bytes"],
)
def test_what_is_no_photo_is_told(model, wrong: object) -> None:
    with pytest.raises(ImageError):
        model.transfer(wrong, DRIVER)


def test_wrong_settings_and_missing_files_are_told(model, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="strength"):
        model.transfer(SOURCE, DRIVER, strength=3)
    with pytest.raises(StorageError, match="does not exist"):
        model.transfer(tmp_path / "absent.png", DRIVER)
    with pytest.raises(UsageError, match="unknown detector"):
        mien.load(small_generator(tmp_path / "other"), faces="nobody")


def test_generator_and_detector_are_on_the_device_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, given = small_generator(tmp_path / "generator"), list[str]()

    def ready(spec: str) -> FaceDetector:
        given.append(device_in_force())
        return load_detector(DETECTOR)

    def chosen(asked: str) -> tuple[str, ...]:
        given.append(asked)
        return ("cpu", "cpu")

    monkeypatch.setattr(generator, "load_ready_detector", ready)
    monkeypatch.setattr(devices, "chosen_devices", chosen)
    mien.load(folder, device="cuda")
    mien.load(folder)
    assert given == ["cuda", "cpu", "auto", "cpu"]
    assert devices_in_force() == ("cpu",)


@pytest.mark.parametrize(("device", "told"), [("gpu", "unknown device 'gpu'"), ("cuda:99", "there is no CUDA device")])
def test_a_device_that_is_not_there_is_told(tmp_path: Path, device: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        mien.load(small_generator(tmp_path / "generator"), faces=DETECTOR, device=device)


def test_without_a_face_there_is_a_reason_and_no_image(model, tmp_path: Path) -> None:
    made = model.transfer(SOURCE, np.full((50, 60, 3), 240, np.uint8))
    assert made.image is None
    assert not made.accepted
    assert made.reason == "driver: no face found: use a photo with one clearly visible face"
    with pytest.raises(ImageError, match="there is no image: driver: no face found"):
        made.save(tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(("name", "kind"), [("o.png", "PNG"), ("o.JPG", "JPEG"), ("o.webp", "WEBP")])
def test_what_is_saved_is_marked(model, tmp_path: Path, name: str, kind: str) -> None:
    made = model.transfer(SOURCE, DRIVER)
    made.save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
    told = read_provenance((tmp_path / name).read_bytes())
    assert told["synthetic"] == "true"
    assert told["weights"] == model.pairs.generator.sha256
    with pytest.raises(ImageError, match="does not say what to write"):
        made.save(tmp_path / "o.gif")
