from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from mien.model.errors import DetectorError
from mien.model.graphs import mediapipe_files
from mien.model.graphs.mediapipe_files import FILES, MESH, SHORT_RANGE, NetworkFile, folder, load_network


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_network_takes_pixels_and_gives_its_outputs(file: NetworkFile) -> None:
    outputs = load_network(file)(np.full((2, file.side_px, file.side_px, 3), 128, np.float32))
    assert len(outputs) == len(file.outputs)
    assert all(len(output) == 2 and np.isfinite(output).all() for output in outputs)


def test_the_package_is_found_without_being_imported() -> None:
    assert (folder() / SHORT_RANGE.path).is_file()
    assert "mediapipe" not in sys.modules


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr(mediapipe_files, "find_spec", lambda _: None)
    with pytest.raises(DetectorError, match=r"pip install 'mien\[mediapipe\]' and pip install --no-deps mediapipe==0"):
        load_network(MESH)


def test_a_missing_reader_is_named_too(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mien.model.graphs.tflite_graph", None)
    with pytest.raises(DetectorError, match=r"mien\[mediapipe\]"):
        load_network(MESH)


@pytest.mark.parametrize("path", ["__init__.py", "no/such/file.tflite"])
def test_files_of_another_version_are_refused(path: str) -> None:
    other = dataclasses.replace(MESH, path=path)
    with pytest.raises(DetectorError, match=r"is not that of mediapipe 0.10.21"):
        load_network(other)
