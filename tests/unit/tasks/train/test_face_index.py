"""A training knows where its faces lie without reading them."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from mien.storage import Root, commit, fingerprint, read_manifest, read_shard, write_shard
from mien.storage.schemas import FACES
from mien.tasks.sets.faces import FaceTables, usable_faces
from mien.tasks.train import face_index
from mien.tasks.train.face_index import FaceIndex, read_index
from tests.drawn_set import drawn_set


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


def small_set(root: Root, name: str, rows: list[dict[str, object]], shard_rows: int = 3) -> FaceTables:
    """Faces without pictures."""
    known = {"image_id": "0", "split": "train", "landmark_scheme": "ibug68", "status": "ok"}
    shards = [
        write_shard(
            root,
            "faces",
            fingerprint([name, first]),
            pa.Table.from_pylist([known | row for row in rows[first : first + shard_rows]], schema=FACES),
        )
        for first in range(0, len(rows), shard_rows)
    ]
    tables = commit(root, "faces", shards, {"name": name}), commit(root, "heatmaps", [], {"name": name})
    return FaceTables(name, tables[0].fingerprint, tables[1].fingerprint)


def face_ids(root: Root, index: FaceIndex) -> list[str]:
    out = [""] * len(index)
    for place, positions, rows in index.by_shard(np.arange(len(index))):
        ids = read_shard(root, "faces", place.faces, ["face_id"])["face_id"].to_pylist()
        for position, row in zip(positions.tolist(), rows.tolist(), strict=True):
            out[position] = ids[row]
    return out


def test_it_has_the_usable_faces_of_named_people_each_once_in_the_order_of_the_tables(root: Root) -> None:
    rejected = {"status": "rejected", "reason": "blurred"}
    first = small_set(
        root,
        "first",
        [
            {"face_id": "a", "identity": "zoe"},
            {"face_id": "b", "identity": "ada", **rejected},
            {"face_id": "c", "identity": None},
            {"face_id": "d", "identity": "ada", "split": "val"},
            {"face_id": "a", "identity": "zoe"},
            {"face_id": "e", "identity": "ada"},
            {"face_id": "f", "identity": "zoe"},
        ],
    )
    second = small_set(root, "second", [{"face_id": each, "identity": "ada"} for each in ("b", "c", "e", "g")])
    index = read_index(root, [first, second])
    known = [row for row in usable_faces(root, [first, second], ["face_id", "identity", "split"]) if row["identity"]]
    assert face_ids(root, index) == [row["face_id"] for row in known] == ["a", "d", "e", "f", "b", "g"]
    assert index.names == (("first", "ada"), ("first", "zoe"), ("second", "ada"))
    assert [index.names[n] for n in index.people] == [(row["set"], row["identity"]) for row in known]
    assert index.sets.tolist() == [0, 0, 0, 0, 1, 1]
    learnt = index.of_split("train")
    assert face_ids(root, learnt) == ["a", "e", "f", "b", "g"]
    assert face_ids(root, index.of_split("val")) == ["d"]
    assert index.of_split("val").names == (("first", "ada"),)
    assert index.of_split("val").people.tolist() == [0]
    assert len(index.of_split("test")) == 0


def test_pictures_and_landmarks_are_not_read(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set[str]()

    def noted(root: Root, table: str, name: str, columns: list[str]) -> pa.Table:
        asked.update(columns)
        return read_shard(root, "faces", name, columns)

    monkeypatch.setattr(face_index, "read_shard", noted)
    assert len(read_index(root, [drawn_set(root)])) == 16
    assert asked == {"face_id", "identity", "split", "landmark_scheme", "status"}


def test_it_takes_sixteen_bytes_for_a_face(root: Root) -> None:
    index = read_index(root, [drawn_set(root)])
    of_faces = [value for value in vars(index).values() if isinstance(value, np.ndarray)]
    assert sum(each.nbytes for each in of_faces) == 16 * len(index)


def test_heatmaps_are_known_by_shard_where_they_are_cut_alike(root: Root) -> None:
    tables = drawn_set(root)
    (heatmaps,) = read_manifest(root, "heatmaps", tables.heatmaps).shards
    assert [place.heatmaps for place in read_index(root, [tables]).places] == [heatmaps.fingerprint]
    other = small_set(root, "other", [{"face_id": "a", "identity": "ada"}])
    assert [place.heatmaps for place in read_index(root, [other]).places] == [None]


def test_schemes_are_those_of_the_chosen_faces(root: Root) -> None:
    rows = [{"face_id": str(n), "identity": "ada", "landmark_scheme": scheme} for n, scheme in enumerate("zya")]
    index = read_index(root, [small_set(root, "mixed", rows)])
    assert index.schemes_found == ["z", "y", "a"]
    assert index.chosen(np.array([2, 0])).schemes_found == ["a", "z"]


def test_no_sets_have_no_faces(root: Root) -> None:
    assert len(read_index(root, [])) == 0
    assert len(read_index(root, [small_set(root, "empty", [])])) == 0
