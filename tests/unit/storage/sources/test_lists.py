"""Lists of pictures: CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import Root, SourceItem, SourceReader, list_images

ROWS = [
    {"uri": "anna/1.jpg", "identity": "Anna", "expression": "sad", "license": "CC BY", "consent": "yes"},
    {"uri": "anna/ü 2.png", "identity": "", "expression": None, "license": None, "consent": None},
    {"uri": "gone.jpg", "identity": "Ben", "expression": None, "license": None, "consent": None},
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("anna/1.jpg", "anna/ü 2.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


def csv_of(rows: list[dict[str, str | None]]) -> str:
    lines = [",".join(rows[0]), *(",".join(value or "" for value in row.values()) for row in rows)]
    return "\n".join(lines)


def described(items: list[SourceItem], below: str) -> list[tuple[str | None, ...]]:
    return [(i.uri.removeprefix(f"{below}/"), i.identity, i.expression, i.licence, i.consent) for i in items]


EXPECTED = [
    ("anna/1.jpg", "Anna", "sad", "CC BY", "yes"),
    ("anna/ü 2.png", None, None, None, None),
    ("gone.jpg", "Ben", None, None, None),
]


def test_a_csv_list_beside_its_photos(photos: Path) -> None:
    (photos / "list.csv").write_text(csv_of(ROWS), "utf-8-sig")
    items = list_images([str(photos / "list.csv")])
    assert described(items, str(photos)) == EXPECTED
    assert [item.version == "unreadable" for item in items] == [False, False, True]
    with SourceReader() as reader:
        assert reader.read(items[1]).decode() == "anna/ü 2.png"


def test_a_parquet_list_says_the_same(photos: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), photos / "list.parquet")
    assert described(list_images([str(photos / "list.parquet")]), str(photos)) == EXPECTED


def test_a_remote_list_counts_from_its_own_folder(photos: Path) -> None:
    root = Root(f"memory://{uuid4().hex}")
    root.write_bytes("lists/list.csv", csv_of([{**row, "uri": f"../{row['uri']}"} for row in ROWS]).encode())
    root.write_bytes("anna/1.jpg", b"first")
    items = list_images([f"{root.url}/lists/list.csv"])
    assert described(items, root.url) == EXPECTED
    assert [item.version == "unreadable" for item in items] == [False, True, True]
    with SourceReader() as reader:
        assert reader.read(items[0]) == b"first"


def test_absolute_paths_and_urls_stay(photos: Path, tmp_path: Path) -> None:
    root = Root(f"memory://{uuid4().hex}")
    root.write_bytes("1.jpg", b"remote")
    (tmp_path / "list.csv").write_text(f"uri\n{photos}/anna/1.jpg\n{root.url}/1.jpg\n")
    assert {i.uri for i in list_images([str(tmp_path / "list.csv")])} == {f"{photos}/anna/1.jpg", f"{root.url}/1.jpg"}


def test_the_pattern_fills_what_the_list_leaves_open(photos: Path) -> None:
    from mien.storage import LabelRule

    (photos / "list.csv").write_text(csv_of(ROWS))
    first, second, gone = list_images([str(photos / "list.csv")], LabelRule("{identity}/*"))
    assert (first.identity, second.identity) == ("Anna", "anna")
    assert (gone.identity, gone.status) == ("Ben", "ok")


def test_a_row_without_uri_and_a_list_that_is_none_are_failed_rows(photos: Path) -> None:
    (photos / "list.csv").write_text("uri,identity\n,Anna\nanna/1.jpg,Anna\n")
    items = list_images([str(photos / "list.csv")])
    assert sorted((i.status, i.reason) for i in items) == [("failed", "row 1 of the list has no uri"), ("ok", None)]
    (photos / "other.csv").write_text("file,name\n1.jpg,Anna\n")
    (photos / "broken.parquet").write_bytes(b"PAR1 not really")
    (photos / "latin.csv").write_bytes("uri\né.jpg\n".encode("latin-1"))
    for name, says in (("other.csv", "no column uri"), ("broken.parquet", "cannot be read"), ("latin.csv", "UTF-8")):
        (item,) = list_images([str(photos / name)])
        assert item.status == "failed"
        assert says in str(item.reason)
