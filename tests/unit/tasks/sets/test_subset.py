from __future__ import annotations

from pathlib import Path

import pytest

from mien.model.detection.load import load_detector
from mien.storage import Root, read_set
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables, face_tables, read_faces, usable_faces
from mien.tasks.sets.people import people_of
from mien.tasks.sets.subset import make_subset
from mien.tasks.sets.verify import verify
from tests.small_root import DETECTOR, PREPARED, rows_of, small_root


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return small_root(tmp_path)


def ids_of(root: Root, tables: FaceTables) -> list[str]:
    return sorted(row["face_id"] for row in usable_faces(root, [tables], ["face_id"]))


def first_of_each(root: Root) -> list[str]:
    rows = sorted(rows_of(root, "faces", PREPARED), key=lambda row: row["face_id"])
    return [next(row["face_id"] for row in rows if row["identity"] == f"person{n}") for n in range(3)]


def test_a_part_has_the_chosen_faces_as_they_are_and_is_whole(root: Root) -> None:
    chosen, whole = first_of_each(root), face_tables(root, PREPARED)
    part = make_subset(root, "known", whole, chosen)
    assert ids_of(root, part) == sorted(chosen)
    assert face_tables(root, "known") == part
    columns = ["crop", "embedding", "landmarks_xy", "identity", "split"]
    of_part, of_whole = (read_faces(root, [tables], set(chosen), columns) for tables in (part, whole))
    for face_id in chosen:
        assert of_part[face_id]["heatmap"].tobytes() == of_whole[face_id]["heatmap"].tobytes()
        assert {**of_part[face_id], "set": "", "heatmap": 0} == {**of_whole[face_id], "set": "", "heatmap": 0}
    assert len(rows_of(root, "images", "known")) == len(chosen)
    assert verify(root, "known").faults == []


def test_what_is_found_from_a_part_does_not_know_the_other_photos(root: Root) -> None:
    part = make_subset(root, "known", face_tables(root, PREPARED), first_of_each(root))
    detector = load_detector(DETECTOR)
    known, all_ = (people_of(root, tables, detector) for tables in (part, face_tables(root, PREPARED)))
    assert list(known.rows) == list(all_.rows)
    assert (known.means != all_.means).any()


def test_the_same_part_again_changes_nothing_and_another_one_is_a_new_version(root: Root) -> None:
    whole, chosen = face_tables(root, PREPARED), first_of_each(root)
    first = make_subset(root, "known", whole, chosen)
    assert make_subset(root, "known", whole, [*chosen[::-1], chosen[0]]) == first
    assert read_set(root, "known").version == 1
    other = make_subset(root, "known", whole, chosen[:2])
    assert (ids_of(root, other), read_set(root, "known").version) == (sorted(chosen[:2]), 2)


def test_a_face_that_is_not_there_is_told(root: Root) -> None:
    with pytest.raises(UsageError, match=f"{PREPARED} has no face {'0' * 32}"):
        make_subset(root, "known", face_tables(root, PREPARED), ["0" * 32])
    assert "known" not in [path.name for path in (Path(root.url) / "sets").glob("known*")]


def test_a_set_that_is_no_part_is_not_replaced(root: Root) -> None:
    before = read_set(root, PREPARED)
    with pytest.raises(UsageError, match="is there and is no part of"):
        make_subset(root, PREPARED, face_tables(root, PREPARED), first_of_each(root))
    assert read_set(root, PREPARED) == before
