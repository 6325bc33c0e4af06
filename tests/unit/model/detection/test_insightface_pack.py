"""Packs that are missing, or lack what they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.model.detection.insightface_pack import load_models, pack_folder
from mien.model.errors import DetectorError
from tests.unit.model.detection.test_insightface_detector import save_tiny


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="no folder"):
        pack_folder(str(tmp_path / "nothing"))


def test_a_folder_without_models_is_said(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"no \.onnx models in"):
        pack_folder(str(tmp_path))


def test_a_pack_without_a_detector_is_said(tmp_path: Path) -> None:
    save_tiny(tmp_path / "w600k.onnx", 112, np.zeros((3, 512), np.float32))
    with pytest.raises(DetectorError, match="could not be loaded: no face detector") as caught:
        load_models(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def test_a_pack_that_cannot_be_downloaded_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import insightface.utils.storage as storage

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(storage, "MODEL_ZOO_RELEASE_DOWNLOAD_URL", "http://127.0.0.1:9/")
    with pytest.raises(DetectorError, match="unpack it and use insightface:FOLDER") as caught:
        pack_folder("buffalo_l")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""
