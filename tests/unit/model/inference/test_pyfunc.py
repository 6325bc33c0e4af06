"""The served generator on a table: a row for each row, whatever one of them holds."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mien.model import devices
from mien.model.detection.load import load_detector
from mien.model.devices import device_in_force
from mien.model.errors import DetectorError, DeviceError, ModelError
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.images.provenance import read_provenance
from mien.model.inference import pyfunc
from mien.model.inference.aligned_crops import AlignedCrops
from mien.model.inference.pyfunc import COLUMNS, MEASURES, ServedGenerator, _load_pyfunc
from tests.drawn_set import DETECTOR, SIDE_PX, small_generator
from tests.unit.model.inference.test_photo_pair import photo

SOURCE, DRIVER = encode_png(photo()), encode_png(photo(height=70))
BLANK = encode_png(np.full((60, 80, 3), 240, np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module")
def served(folder: Path) -> ServedGenerator:
    return load(folder)


def load(folder: Path, faces: str = DETECTOR, paths: str = "") -> ServedGenerator:
    loaded = _load_pyfunc(str(folder), {"faces": faces, "paths": paths})
    assert isinstance(loaded, ServedGenerator)
    return loaded


def test_the_configuration_names_the_device_of_generator_and_detector(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr(
        pyfunc, "load_ready_detector", lambda spec: given.append(device_in_force()) or load_detector(spec)
    )
    monkeypatch.setattr(devices, "chosen_devices", lambda asked: given.append(asked) or ("cpu",))
    _load_pyfunc(str(folder), {"faces": DETECTOR, "device": "cuda:1"})
    _load_pyfunc(str(folder), {"faces": DETECTOR})  # as versions from before there was a device
    assert given == ["cuda:1", "cpu", "cpu", "cpu"]
    monkeypatch.undo()
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        _load_pyfunc(str(folder), {"faces": DETECTOR, "device": "gpu"})


def answer(served: ServedGenerator, **columns: Any) -> pd.DataFrame:
    return served.predict(pd.DataFrame(columns))


def test_bytes_and_base64_give_the_same_marked_picture(served: ServedGenerator, folder: Path) -> None:
    text = [base64.b64encode(data).decode() for data in (SOURCE, DRIVER)]
    found = answer(served, source=[SOURCE, text[0]], driver=[DRIVER, text[1]])
    assert list(found.columns) == list(COLUMNS)
    first, second = found["image"]
    assert first == second
    assert decode_rgb(first).shape == (SIDE_PX, SIDE_PX, 3)
    told = json.loads((folder / "config.json").read_text())["weights_sha256"]
    assert read_provenance(first) == {"synthetic": "true", "weights": told}
    assert (found["accepted"] == found["reason"].isna()).all()


def test_one_bad_row_costs_no_other(served: ServedGenerator) -> None:
    bad: dict[str, tuple[Any, Any]] = {
        "source: no face found: use a photo with one clearly visible face": (BLANK, DRIVER),
        "driver: no face found: use a photo with one clearly visible face": (SOURCE, BLANK),
        "source: not a picture in a format that can be read": (b"nothing", DRIVER),
        "driver: there is no picture": (SOURCE, None),
        "source: a picture cannot be int": (3, DRIVER),
    }
    alone = answer(served, source=[SOURCE], driver=[DRIVER])
    rows = [(SOURCE, DRIVER), *bad.values(), (SOURCE, DRIVER)]
    found = answer(served, source=[row[0] for row in rows], driver=[row[1] for row in rows])
    assert found["reason"].tolist()[1:-1] == list(bad)
    assert not found["accepted"].tolist()[1:-1].count(True)
    assert found["image"].tolist()[1:-1] == [None] * len(bad)
    assert found.loc[1:5, list(MEASURES)].isna().all(axis=None)
    for index in (0, 6):
        assert found["image"][index] == alone["image"][0]


def test_a_cut_off_picture_and_one_of_too_many_pixels_are_told(served: ServedGenerator) -> None:
    large = io.BytesIO()
    Image.new("1", (8000, 8000)).save(large, "PNG")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0"
    found = answer(served, source=[SOURCE[: len(SOURCE) // 2], large.getvalue(), eps], driver=[DRIVER] * 3)
    reasons = found["reason"].tolist()
    assert reasons[0].startswith("source: a damaged picture")
    assert "pixels are more than" in reasons[1]
    assert reasons[2] == "source: EPS or PostScript is not read: save it as JPEG or PNG"


def test_strength_and_head_pose_are_of_a_row(served: ServedGenerator) -> None:
    found = answer(
        served,
        source=[SOURCE] * 8,
        driver=[DRIVER] * 8,
        strength=[1.0, None, 1.5, 2.0, "much", float("nan"), True, 1],
        head_pose=[1.0, 1, 1.0, 1.0, 1.0, None, 1.0, -0.1],
    )
    images, reasons = found["image"].tolist(), found["reason"].tolist()
    assert images[0] == images[1] == images[5]
    assert images[2] not in (None, images[0])
    assert reasons[3] == "the strength must lie in 0.5 to 1.5, not 2"
    assert reasons[4] == "strength is 'much': give a number"
    assert reasons[6] == "strength is True: give a number"
    assert "share of the driver's head pose" in reasons[7]
    without = answer(served, source=[SOURCE], driver=[DRIVER])
    assert without["image"][0] == images[0]


def test_the_answer_has_the_index_of_the_question_and_is_json_without_nan(served: ServedGenerator) -> None:
    asked = pd.DataFrame({"source": [SOURCE, BLANK], "driver": [DRIVER, DRIVER]}, index=["x", "x"])
    found = served.predict(asked)
    assert found.index.tolist() == ["x", "x"]
    assert found["expression_error"].dtype == np.float64
    records = found.to_dict(orient="records")
    text = json.dumps(records, default=lambda data: base64.b64encode(data).decode(), allow_nan=False)
    assert json.loads(text)[1] == {
        "image": None,
        **dict.fromkeys(MEASURES),
        "accepted": False,
        "reason": "source: no face found: use a photo with one clearly visible face",
        "note": None,
    }


def test_a_source_may_be_several_photos_of_a_person(served: ServedGenerator) -> None:
    red = photo()
    red[red[..., 0] < 128] = (120, 10, 10)
    second, stranger = encode_png(photo(height=60)), encode_png(red)
    text = [base64.b64encode(data).decode() for data in (SOURCE, second)]
    lists: list[Any] = [
        SOURCE, [SOURCE], [SOURCE, second], text, np.array(text, object), (SOURCE, stranger), [SOURCE, BLANK],
        [SOURCE, b"nothing"], [], [SOURCE] * 9,
    ]  # fmt: skip
    found = answer(served, source=lists, driver=[DRIVER] * len(lists))
    images, reasons, notes = (found[name].tolist() for name in ("image", "reason", "note"))
    assert images[0] == images[1] == images[5]
    assert images[2] == images[3] == images[4] != images[0]
    assert notes[5].startswith("source 2 is left out: it seems to show somebody else")
    assert [note for n, note in enumerate(notes) if n != 5] == [None] * 9
    assert reasons[6] == "source 2: no face found: use a photo with one clearly visible face"
    assert reasons[7].startswith("source 2: not a picture")
    assert reasons[8] == "a face is made of 1 to 8 photos of a person, not of 0"
    assert reasons[9].endswith("not of 9")
    assert images[6:] == [None] * 4


def test_no_rows_give_none(served: ServedGenerator) -> None:
    assert len(answer(served, source=[], driver=[])) == 0
    with pytest.raises(ModelError, match="no column driver"):
        answer(served, source=[SOURCE])


def test_paths_are_read_where_the_configuration_says_so_and_no_parameter_does(folder: Path, tmp_path: Path) -> None:
    for name, data in (("a.png", SOURCE), ("b.png", DRIVER)):
        (tmp_path / name).write_bytes(data)
    asked = pd.DataFrame({"source": [str(tmp_path / "a.png")], "driver": [tmp_path / "b.png"]})
    closed = load(folder)
    for params in (None, {"paths": str(tmp_path), "allow_paths": True}):
        found = closed.predict(asked, params)
        assert "a path is read only below folders" in found["reason"][0]
        assert found["image"][0] is None
    opened = load(folder, paths=str(tmp_path))
    assert opened.predict(asked)["image"][0] == answer(closed, source=[SOURCE], driver=[DRIVER])["image"][0]


def test_a_detector_that_is_not_there_is_told_when_the_model_is_loaded(folder: Path) -> None:
    with pytest.raises(DetectorError, match="unknown detector"):
        load(folder, faces="nobody")


def test_what_a_detector_raises_on_one_photo_is_the_reason_of_its_row(folder: Path) -> None:
    served = load(folder, faces="tests.own_detector:Odd")
    white = encode_png(np.full((60, 80, 3), 255, np.uint8))
    black = encode_png(np.zeros((60, 80, 3), np.uint8))
    found = answer(served, source=[white, black], driver=[SOURCE, SOURCE])
    assert found["reason"][0].startswith("source: the detector failed on it (ValueError: nothing but white)")
    assert "gave landmarks of shape (5, 2)" in found["reason"][1]


def test_a_version_without_configuration_takes_aligned_crops_and_landmarks_as_before(folder: Path) -> None:
    served = _load_pyfunc(str(folder))
    assert isinstance(served, AlignedCrops)
    landmarks = np.random.default_rng(0).uniform(8, 56, (2, 68, 2)).astype(np.float32)
    batch = {
        "source": np.zeros((2, 64, 64, 3), np.uint8),
        "source_landmarks": landmarks,
        "target_landmarks": landmarks[::-1].copy(),
    }
    out = served.predict(batch)
    assert out.shape == (2, 64, 64, 3)
    assert out.dtype == np.uint8
