"""The people of a prepared set, as the gate compares faces with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.model.detection.load import load_detector
from mien.model.identity.people import People
from mien.storage import Root, open_table
from mien.storage.consent import parse_consent
from mien.tasks.sets import people
from mien.tasks.sets.people import people_of
from tests.drawn_set import DETECTOR, drawn_set


def test_the_means_are_those_of_the_labelled_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, detector = Root(str(tmp_path)), load_detector(DETECTOR)
    tables = drawn_set(root)
    rows = open_table(root, "faces", tables.faces).to_table().to_pylist()
    embeddings = np.array([row["embedding"] for row in rows], np.float64)
    expected = People.of([row["identity"] for row in rows], embeddings, detector.similarity)
    people_of.cache_clear()
    found = people_of(root, tables, detector)
    assert found.rows == expected.rows
    assert found.means == pytest.approx(expected.means)
    assert found.alike == pytest.approx(expected.alike)

    # A photo whose consent was withdrawn takes part in nothing.
    gone = {(tables.name, row["image_id"]): parse_consent("withdrawn") for row in rows if row["identity"] == "person 1"}
    monkeypatch.setattr(people, "known_consents", lambda *_: gone)
    people_of.cache_clear()
    assert set(people_of(root, tables, detector).rows) == set(expected.rows) - {"person 1"}
    people_of.cache_clear()
