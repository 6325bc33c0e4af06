"""Parquet files that hold their pictures."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import ContentError, LabelRule, SourceItem, SourceReader, StorageError, list_images


def rows(count: int) -> list[dict[str, object]]:
    return [
        {"image": {"bytes": f"picture {n}".encode(), "path": f"p{n % 3}/{n}.jpg"}, "expression": "sad", "label": n}
        for n in range(count)
    ]


@pytest.fixture
def table(tmp_path: Path) -> str:
    pq.write_table(pa.Table.from_pylist(rows(100)), tmp_path / "train.parquet", row_group_size=30)
    return str(tmp_path / "train.parquet")


def test_each_row_is_read_alone_in_any_order(table: str) -> None:
    items = list_images([table])
    assert [item.row for item in items] == list(range(100))
    assert {item.expression for item in items} == {"sad"}
    assert [item.identity for item in items[:4]] == ["p0", "p1", "p2", "p0"]
    shuffled = random.Random(0).sample(items, 100)
    with SourceReader() as reader:
        for item in [*items, *shuffled]:
            assert reader.read(item) == f"picture {item.row}".encode()


def test_the_pattern_is_held_against_the_path_in_the_row(table: str) -> None:
    items = list_images([table], LabelRule("{identity}/*"))
    assert items[1].identity == "p1"
    assert {item.status for item in list_images([table], LabelRule("{identity}/*.png"))} == {"rejected"}


def test_plain_bytes_and_an_identity_column(tmp_path: Path) -> None:
    columns = {"picture": pa.array([b"a", b"b"], pa.large_binary()), "identity": ["Anna", None]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    items = list_images([str(tmp_path / "t.parquet")])
    assert [item.identity for item in items] == ["Anna", None]
    with SourceReader() as reader:
        assert [reader.read(item) for item in items] == [b"a", b"b"]


def test_a_path_in_a_row_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": None, "path": str(tmp_path / "secret.jpg")}, None], kind)
    pq.write_table(pa.table({"image": column}), tmp_path / "t.parquet")
    items = list_images([str(tmp_path / "t.parquet")])
    with SourceReader() as reader:
        for item in items:
            with pytest.raises(StorageError, match="holds no bytes"):
                reader.read(item)


def test_a_table_without_pictures_says_what_it_has(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": [2]}), tmp_path / "t.parquet")
    (item,) = list_images([str(tmp_path / "t.parquet")])
    assert item.status == "failed"
    assert "it has a, b" in str(item.reason)


JPEG = b"\xff\xd8\xff"


def listed(columns: dict[str, object], path: Path, metadata: dict[str, str] | None = None) -> list[SourceItem]:
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path)
    return list_images([str(path)])


CLASSES = {
    "huggingface": json.dumps({"info": {"features": {"identity": {"names": ["Anna", "Ben"], "_type": "ClassLabel"}}}})
}
NESTED_CLASSES = {
    "huggingface": json.dumps({"info": {"features": {"labels": {"identity": {"feature": {"names": ["Anna", "Ben"]}}}}}})
}


@pytest.mark.parametrize(
    ("labels", "metadata", "expected"),
    [
        (pa.array([7, None], pa.int64()), None, ["7", None]),
        (pa.array([7.0, float("nan")]), None, ["7", None]),
        (pa.array([7.5, 0.1], pa.float32()), None, ["7.5", "0.1"]),
        (pa.array([7.0, None], pa.float16()), None, ["7", None]),
        (pa.array([True, None]), None, ["true", None]),
        (pa.array([Decimal("7.00"), None]), None, ["7", None]),
        (pa.array(["Anna", "  "]).dictionary_encode(), None, ["Anna", None]),
        (pa.array(["Jo\u0308rg", ""], pa.string_view()), None, ["Jörg", None]),
        (pa.array([" Anna ", None], pa.large_string()), None, ["Anna", None]),
        (pa.array([b"Anna", None], pa.binary_view()), None, ["Anna", None]),
        (pa.array([["Anna"], ["Anna", "Ben"]]), None, ["Anna", None]),
        (pa.array([[7], []], pa.large_list(pa.int32())), None, ["7", None]),
        (pa.array([datetime.date(2026, 11, 25), None]), None, ["2026-11-25", None]),
        (pa.array([1, -1]), CLASSES, ["Ben", None]),
        (pa.array([0, 5]), CLASSES, ["Anna", "5"]),
        (pa.array([[1], [0]]), CLASSES, ["Ben", "Anna"]),
        (pa.nulls(2), None, [None, None]),
    ],
)
def test_labels_of_each_type_are_text(
    tmp_path: Path, labels: pa.Array, metadata: dict[str, str] | None, expected: list[str | None]
) -> None:
    pictures = pa.array([JPEG, JPEG], pa.binary())
    for name in ("identity", " Identity "):
        known = {"huggingface": metadata["huggingface"].replace('"identity"', json.dumps(name))} if metadata else None
        items = listed({"image": pictures, name: labels}, tmp_path / "t.parquet", known)
        assert [item.identity for item in items] == expected
    uris = pa.array(["a.jpg", "b.jpg"])
    assert [i.identity for i in listed({"uri": uris, "identity": labels}, tmp_path / "l.parquet", metadata)] == expected


def test_labels_inside_other_columns(tmp_path: Path) -> None:
    labels = pa.array([{"identity": 1, "more": {"expression": "sad"}}, {"identity": 0, "more": None}])
    pictures = pa.array([JPEG, JPEG], pa.binary_view())
    items = listed({"image": pictures, "labels": labels}, tmp_path / "t.parquet", NESTED_CLASSES)
    assert [(item.identity, item.expression) for item in items] == [("Ben", "sad"), ("Anna", None)]
    items = listed({"image": pictures, "labels": labels, "identity": ["Carl", None]}, tmp_path / "t.parquet")
    assert [item.identity for item in items] == ["Carl", None]


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("column", "member"),
    [
        (
            pa.array(
                [{"bytes": JPEG + b"1", "path": "anna/1.jpg"}, {"bytes": JPEG + b"2", "path": "ben/2.jpg"}], STRUCT
            ),
            "image",
        ),
        (pa.array([JPEG + b"1", JPEG + b"2"], pa.large_binary()), "image"),
        (pa.array([JPEG + b"1", JPEG + b"2"], pa.binary_view()), "image"),
        (pa.array([JPEG + b"1", JPEG + b"2"], pa.binary()).dictionary_encode(), "image"),
        (pa.array([[JPEG + b"1"], [JPEG + b"2"]], pa.list_(pa.binary())), "image"),
        (
            pa.array(
                [[{"bytes": JPEG + b"1", "path": None}], [{"bytes": JPEG + b"2", "path": None}]], pa.list_(STRUCT)
            ),
            "image",
        ),
        (
            pa.array(
                [{"photo": {"bytes": JPEG + b"1", "path": None}}, {"photo": {"bytes": JPEG + b"2", "path": None}}]
            ),
            "image.photo",
        ),
    ],
)
def test_pictures_in_columns_of_each_type(tmp_path: Path, column: pa.Array, member: str) -> None:
    columns = {"thumbhash": pa.array([b"\x01\x02", b"\x03"]), "mask": pa.array([b"none", None]), "image": column}
    items = listed(columns, tmp_path / "t.parquet")
    assert {item.member for item in items} == {member}
    with SourceReader() as reader:
        assert [reader.read(item) for item in items] == [JPEG + b"1", JPEG + b"2"]


def test_a_list_of_several_pictures_is_told(tmp_path: Path) -> None:
    items = listed({"image": pa.array([[JPEG, JPEG]], pa.list_(pa.binary()))}, tmp_path / "t.parquet")
    with SourceReader() as reader, pytest.raises(ContentError, match=r"row 0 of .* holds a list of 2 pictures"):
        reader.read(items[0])


@pytest.mark.parametrize(
    ("paths", "people"),
    [
        (["/data/faces/anna/1.jpg", "/data/faces/ben/2.jpg", "/data/faces/ben/x/3.jpg"], ["anna", "ben", "ben"]),
        (["train/anna/1.jpg", "train/ben/1.jpg", "train/carl/1.jpg"], ["anna", "ben", "carl"]),
        (["C:\\faces\\anna\\1.jpg", "C:\\faces\\ben\\2.jpg", "C:\\faces\\ben\\3.jpg"], ["anna", "ben", "ben"]),
        (["/x/anna/1.jpg", "/x/anna/2.jpg", "/x/anna/trip/3.jpg"], ["anna", "anna", "anna"]),
        (["1.jpg", "2.jpg", None], [None, None, None]),
    ],
)
def test_folders_that_all_share_are_nobody(tmp_path: Path, paths: list[str | None], people: list[str | None]) -> None:
    rows = [{"bytes": JPEG, "path": path} for path in paths]
    assert [item.identity for item in listed({"image": pa.array(rows, STRUCT)}, tmp_path / "t.parquet")] == people


def test_the_tables_of_a_dataset_share_their_folders(tmp_path: Path) -> None:
    for number, person in enumerate(("anna", "anna", "ben")):
        row = {"bytes": JPEG, "path": f"faces/{person}/day/{number}.jpg"}
        pq.write_table(pa.table({"image": pa.array([row], STRUCT)}), tmp_path / f"train-{number}.parquet")
    items = list_images([f"{tmp_path}/train-*.parquet"])
    assert [item.identity for item in items] == ["anna", "anna", "ben"]
