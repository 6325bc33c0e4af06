"""Parquet files that hold their pictures."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import LabelRule, SourceReader, StorageError, list_images


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
