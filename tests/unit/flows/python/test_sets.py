"""`mien.open`: what a set holds, as Arrow and as pandas, of the version that was opened."""

from __future__ import annotations

from pathlib import Path

import pytest

import mien
from mien.storage import Root, StorageError, write_set
from tests.small_root import GENERATED, PREPARED, small_root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_root(tmp_path_factory.mktemp("small"))


def test_faces_and_transfers_are_tables(root: Root) -> None:
    faces, transfers = mien.open(root.url, PREPARED).faces, mien.open(root.url, GENERATED).transfers
    table = faces.to_pandas()
    assert len(table) == len(faces) == faces.arrow.count_rows() > 0
    assert {"face_id", "identity", "crop", "status"} <= set(table.columns)
    few = transfers.to_pandas(columns=["identity", "expression"], status="ok")
    assert list(few.columns) == ["identity", "expression"]
    assert set(few["identity"]) == {"person0", "person1", "person2"}
    assert len(transfers.to_pandas(status="failed")) == 0


def test_what_a_set_has_not_is_told(root: Root) -> None:
    with pytest.raises(StorageError, match=f"'{PREPARED}' in .* has no transfers; it has images, faces, heatmaps"):
        _ = mien.open(root.url, PREPARED).transfers
    with pytest.raises(StorageError, match="no set 'nobody'"):
        mien.open(root.url, "nobody")


def test_an_opened_set_stays_the_version_that_it_was(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    opened = mien.open(root.url, GENERATED)
    count = len(opened.transfers)
    write_set(root, GENERATED, {"pairs": opened.version.tables["pairs"]})
    assert len(opened.transfers) == count
    with pytest.raises(StorageError, match="has no transfers"):
        _ = mien.open(root.url, GENERATED).transfers
