"""Faces are read as they were stored, whatever shards they lie in."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb, resize_rgb
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.parts import POINTS, LandmarkScheme
from mien.model.landmarks.schemes import PARTS
from mien.model.training.face_arrays import FaceArrays
from mien.storage import Root, StorageError, commit, fingerprint, open_table, read_manifest, read_shard, write_shard
from mien.storage.schemas import FACES, heatmaps_schema
from mien.storage.shards import shard_path
from mien.tasks.errors import RunError
from mien.tasks.sets.face_columns import common_points, landmarks_px
from mien.tasks.sets.faces import FaceTables, read_faces, usable_faces
from mien.tasks.train.face_index import read_index
from mien.tasks.train.faces import in_memory, load_faces, reader_of
from tests.drawn_faces import HEATMAP_PX
from tests.drawn_set import SIDE_PX, drawn_set


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


def cut_anew(root: Root, tables: FaceTables, shard_rows: int, heatmap_rows: int, turned: bool = False) -> FaceTables:
    """The same faces in other shards, perhaps with the heatmaps in another order than the faces."""
    refs = []
    for table, fingerprint_of, rows in (
        ("faces", tables.faces, shard_rows),
        ("heatmaps", tables.heatmaps, heatmap_rows),
    ):
        schema = FACES if table == "faces" else heatmaps_schema(PARTS, HEATMAP_PX, 1.5, SIDE_PX)
        whole = open_table(root, table, fingerprint_of).to_table().to_pylist()
        whole = whole[::-1] if turned and table == "heatmaps" else whole
        shards = [
            write_shard(
                root,
                table,
                fingerprint([table, rows, n, turned]),
                pa.Table.from_pylist(whole[n : n + rows], schema=schema),
            )
            for n in range(0, len(whole), rows)
        ]
        refs.append(commit(root, table, shards, read_manifest(root, table, fingerprint_of).about))
    return FaceTables(tables.name, refs[0].fingerprint, refs[1].fingerprint)


def one_by_one(root: Root, tables: FaceTables, side_px: int) -> FaceArrays:
    """All faces of the set, each looked up by itself."""
    ids = [row["face_id"] for row in usable_faces(root, [tables], ["face_id"])]
    found = read_faces(root, [tables], set(ids), ["crop", "landmarks_xy", "landmark_scheme"])
    faces = [found[face_id] for face_id in ids]
    return FaceArrays(
        np.stack([resize_rgb(decode_rgb(face["crop"] or b""), side_px).transpose(2, 0, 1) for face in faces]),
        np.stack([heatmap for face in faces if (heatmap := face["heatmap"]) is not None]),
        np.stack([common_points(face, SIDE_PX) for face in faces]).astype(np.float32),
        np.zeros(len(faces), np.int64),
        dense=np.stack([from_px(landmarks_px(face), SIDE_PX) for face in faces]),
    )


def same(first: FaceArrays, second: FaceArrays, rows: np.ndarray) -> None:
    for name in ("images", "heatmaps", "points"):
        assert getattr(first, name).dtype == getattr(second, name).dtype
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name)[rows])
    np.testing.assert_array_equal(first.landmarks, second.landmarks[rows])


@pytest.mark.parametrize("scheme", POINTS)
@pytest.mark.parametrize("side_px", [SIDE_PX, 48])
def test_faces_are_what_looking_them_up_one_by_one_gives(root: Root, scheme: LandmarkScheme, side_px: int) -> None:
    tables = drawn_set(root, scheme=scheme)
    index = read_index(root, [tables])
    same(in_memory(index, reader_of(root, [tables], index, side_px)), one_by_one(root, tables, side_px), np.arange(16))


@pytest.mark.parametrize(("shard_rows", "heatmap_rows", "turned"), [(3, 3, False), (5, 4, False), (4, 4, True)])
def test_the_shards_do_not_matter(root: Root, shard_rows: int, heatmap_rows: int, turned: bool) -> None:
    tables = drawn_set(root)
    expected = one_by_one(root, tables, SIDE_PX)
    anew = cut_anew(root, tables, shard_rows, heatmap_rows, turned)
    index = read_index(root, [anew])
    reader, rows = reader_of(root, [anew], index, SIDE_PX), np.array([11, 2, 3, 15, 0])
    into = FaceArrays.room(len(rows), SIDE_PX, reader.spec, reader.scheme)
    reader.read(rows, into)
    same(into, expected, rows)
    np.testing.assert_array_equal(reader.read_points(rows), expected.points[rows])


def test_a_shard_that_cannot_be_read_is_named(root: Root) -> None:
    tables = cut_anew(root, drawn_set(root), 4, 4)
    index = read_index(root, [tables])
    place = index.places[index.shards[0]]
    path = shard_path("faces", place.faces)
    data = bytearray(root.read_bytes(path))
    data[len(data) // 3] ^= 1
    root.write_bytes(path, bytes(data))
    with pytest.raises(StorageError) as raised:
        in_memory(index, reader_of(root, [tables], index, SIDE_PX))
    assert place.faces in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "run the step that made it again" in str(raised.value)


def test_a_crop_that_is_no_picture_names_its_shard(root: Root) -> None:
    tables = drawn_set(root)
    (shard,) = read_manifest(root, "faces", tables.faces).shards
    rows = read_shard(root, "faces", shard.fingerprint).to_pylist()
    rows[1]["crop"] = b"no picture"
    broken = write_shard(root, "faces", fingerprint("broken"), pa.Table.from_pylist(rows, schema=FACES))
    about = read_manifest(root, "faces", tables.faces).about
    anew = FaceTables(tables.name, commit(root, "faces", [broken], about).fingerprint, tables.heatmaps)
    with pytest.raises(
        RunError, match=rf"{broken.fingerprint}\.parquet has a crop that cannot be read .*prepare the set"
    ):
        load_faces(root, [anew], "train", SIDE_PX)
