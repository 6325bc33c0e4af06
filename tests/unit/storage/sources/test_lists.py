"""Lists of pictures: CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import (
    LabelRule,
    Root,
    SourceItem,
    SourceLimits,
    SourceReader,
    StorageError,
    image_name,
    list_images,
    list_sources,
)
from mien.storage.sources.limits import limits

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


def identities(text: str | bytes, photos: Path) -> list[tuple[str, str | None]]:
    (photos / "list.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return [(item.uri.removeprefix(f"{photos}/"), item.identity) for item in list_images([str(photos / "list.csv")])]


ANNA = [("anna/1.jpg", "Anna")]


@pytest.mark.parametrize(
    "text",
    [
        "uri, identity\nanna/1.jpg, Anna\n",
        "URI,Identity\nanna/1.jpg,Anna\n",
        " uri ,\tIDENTITY \nanna/1.jpg, Anna \t\n",
        "uri;identity\nanna/1.jpg;Anna\n",
        "uri\tidentity\nanna/1.jpg\tAnna\n",
        "uri|identity\nanna/1.jpg|Anna\n",
        "sep=;\nuri;identity\nanna/1.jpg;Anna\n",
        'uri,identity\n"anna/1.jpg","Anna"\r\n',
        'uri, identity\n"anna/1.jpg", "Anna"\n\n\n',
        "uri,identity\r\nanna\\1.jpg,Anna\r\n",
        "uri,identity,\nanna/1.jpg,Anna,\n",
        "uri,identity\nanna/1.jpg,\u00a0Anna\u200b\n",
        "uri,identity\nanna/1.jpg,Anna\n".encode("utf-16"),
        "uri\tidentity\nanna/1.jpg\tAnna\n".encode("utf-16"),
        "uri,identity\nanna/1.jpg,Anna\n".encode("utf-8-sig"),
        "identity;size,mm;uri\nAnna;3,5;anna/1.jpg\n",
    ],
)
def test_lists_as_spreadsheets_write_them(photos: Path, text: str | bytes) -> None:
    assert identities(text, photos) == ANNA


def test_file_uris_with_blanks_and_backslashes_in_a_name(photos: Path) -> None:
    (photos / "b c").mkdir()
    (photos / "b c/100%.jpg").write_bytes(b"x")
    (photos / "back\\slash.jpg").write_bytes(b"x")
    uris = [
        (photos / "b c/100%.jpg").as_uri(),
        "back\\slash.jpg",
        "b%20c/100%.jpg",
        "FILE://localhost" + str(photos / "anna/1.jpg"),
    ]
    (photos / "list.csv").write_text("\n".join(["uri", *uris]))
    found = {
        item.uri.removeprefix(f"{photos}/"): item.version != "unreadable"
        for item in list_images([str(photos / "list.csv")])
    }
    assert found == {"b c/100%.jpg": True, "back\\slash.jpg": True, "b%20c/100%.jpg": False, "anna/1.jpg": True}


def test_labels_are_normalised_and_numbers_stay_as_they_are_written(photos: Path) -> None:
    lines = ["Jo\u0308rg", "J\u00f6rg", " 007", "7", "7.0", "nan", "", "  "]
    (photos / "list.csv").write_text("\n".join(["uri,identity", *(f"anna/1.jpg,{name}" for name in lines)]))
    items = list_images([str(photos / "list.csv")])
    assert [item.identity for item in items] == ["Jörg", "Jörg", "007", "7", "7.0", "nan", None, None]


def test_each_row_is_a_row_also_where_two_name_one_photo(photos: Path) -> None:
    text = "uri,identity\nanna/1.jpg,Anna\nanna/1.jpg,Ben\nanna/1.jpg,Anna\n"
    assert [name for _, name in identities(text, photos)] == ["Anna", "Ben", "Anna"]
    (photos / "other.csv").write_text("uri,identity\nanna/1.jpg,Carl\n")
    specs = [str(photos), str(photos / "list.csv"), str(photos / "other.csv"), str(photos / "list.csv")]
    items = [item for item in list_images(specs) if item.uri.endswith("anna/1.jpg")]
    assert sorted(str(item.identity) for item in items) == ["Anna", "Anna", "Ben", "Carl"]
    assert len({item.key for item in items}) == 4
    with SourceReader() as reader:
        assert {reader.read(item) for item in items} == {b"anna/1.jpg"}
    assert image_name(items[0].uri, items[0].member, items[0].row) == items[0].uri


@pytest.mark.parametrize("before", ["\n", "\n \r\n\n", "sep=,\n", "\n\nsep=,\n\n"])
def test_empty_lines_before_the_first_one_are_no_header(photos: Path, before: str) -> None:
    (photos / "list.csv").write_text(f"{before}uri,identity\nanna/1.jpg,Anna\n", newline="")
    (item,) = list_images([str(photos / "list.csv")])
    assert (item.identity, item.status) == ("Anna", "ok")


def test_of_two_columns_for_one_label_one_is_read_and_the_other_told(photos: Path) -> None:
    for header, told in (("uri,identity,identity", "identity (again, 2)"), ("uri,identity,Identity", "Identity")):
        (photos / "list.csv").write_text(f"{header}\nanna/1.jpg,Anna,Ben\n")
        listing = list_sources([str(photos / "list.csv")])
        assert [item.identity for item in listing.items] == ["Anna"]
        (note,) = listing.notes
        assert f"not read: '{told}'" in note.text


def test_utf_16_without_its_mark_is_told_in_one_line(photos: Path) -> None:
    (photos / "list.csv").write_bytes("uri,identity\nanna/1.jpg,Anna\n".encode("utf-16-le"))
    (item,) = list_images([str(photos / "list.csv")])
    assert item.status == "failed"
    assert "zeros between the letters" in (item.reason or "")
    assert (item.reason or "").isprintable()


def test_a_row_with_too_many_cells_is_a_failed_row(photos: Path) -> None:
    (photos / "list.csv").write_text("uri,identity\nanna/1.jpg,Anna,Banana\nanna/1.jpg,Anna\n")
    failed, ok = list_images([str(photos / "list.csv")])[::-1]
    assert (failed.status, ok.status) == ("failed", "ok")
    assert "row 1 of the list has 3 cells where the first line names 2" in str(failed.reason)


def test_columns_that_look_like_labels_are_told(photos: Path) -> None:
    (photos / "list.csv").write_text("uri,person,Emotion,identitty,width\nanna/1.jpg,Anna,sad,x,3\n")
    (note,) = [note for note in list_sources([str(photos / "list.csv")]).notes if note.kind == "columns"]
    assert "'person', 'Emotion', 'identitty'" in note.text
    assert "width" not in note.text
    (photos / "list.csv").write_text("uri,identity,person,name\nanna/1.jpg,Anna,a,b\n")
    assert not [note for note in list_sources([str(photos / "list.csv")]).notes if note.kind == "columns"]


@pytest.mark.parametrize(
    ("name", "value", "text", "says"),
    [
        ("TABLE_ROWS", 2, "uri\n" + "anna/1.jpg\n" * 3, "has more than 2 rows: split it, or set MIEN_MAX_TABLE_ROWS"),
        ("LIST_BYTES", 20, "uri\n" + "anna/1.jpg\n" * 3, "is of more than 20 bytes"),
        ("LINE_CHARS", 20, "uri\n" + "x" * 50, "a line of more than 20 characters"),
        ("URI_CHARS", 9, "uri\nanna/1.jpg\n", "its uri is of more than 9 characters"),
        ("LABEL_CHARS", 3, "uri,identity\nanna/1.jpg,Anna\n", "its identity is of more than 3 characters"),
    ],
)
def test_each_limit_is_a_row_with_its_reason(
    photos: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int, text: str, says: str
) -> None:
    (photos / "list.csv").write_text(text)
    monkeypatch.setenv(f"MIEN_MAX_{name}", str(value))
    limits.cache_clear()
    try:
        (item,) = [item for item in list_images([str(photos / "list.csv")]) if item.status != "ok"]
        assert says in str(item.reason)
    finally:
        monkeypatch.undo()
        limits.cache_clear()


def test_a_limit_that_is_no_number_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MAX_TABLE_ROWS", "many")
    with pytest.raises(StorageError, match="MIEN_MAX_TABLE_ROWS is 'many': give a whole number above 0"):
        SourceLimits.from_environment()
