"""The quicker embedding is dlib's, and it is taken for dlib alone."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.detector import EmbedsTogether
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb
from mien.model.inference.quick_dlib import QuickDlib, load_pair_detector
from mien.storage import read_source


def test_it_finds_and_embeds_as_dlib_does() -> None:
    plain, quick = load_detector("dlib"), load_pair_detector("dlib")
    photos = [decode_rgb(read_source(f"sample:orl/{name}.pgm")) for name in ("s1/1", "s2/3", "s5/2")]
    faces = [plain.find(photo)[0] for photo in photos]
    for photo, face in zip(photos, faces, strict=True):
        assert np.array_equal(quick.find(photo)[0].landmarks_xy, face.landmarks_xy)
    expected = np.concatenate([plain.embed(photo, [face]) for photo, face in zip(photos, faces, strict=True)])
    assert isinstance(quick, EmbedsTogether)
    assert quick.embed_each(photos, faces) == pytest.approx(expected, abs=1e-5)
    assert quick.embed(photos[0], [faces[0]])[0] == pytest.approx(expected[0], abs=1e-5)
    assert quick.embed(photos[0], []).shape == (0, 128)
    assert quick.version == plain.version


def test_other_detectors_stay_as_they_are() -> None:
    assert type(load_pair_detector("dlib")) is QuickDlib
    assert type(load_detector("dlib")) is DlibDetector
    spec = "tests.own_detector:DarkSquares"
    assert load_pair_detector(spec) is load_detector(spec)
