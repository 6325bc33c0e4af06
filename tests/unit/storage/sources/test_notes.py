"""What a listing did not understand is told, each in one line with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import LabelRule, list_sources
from mien.storage.sources.top_folders import TopFolders, folders_of


def lines(tmp_path: Path, names: list[str], rule: LabelRule | None = None) -> list[str]:
    for name in names:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"\xff\xd8\xff")
    return [note.text for note in list_sources([str(tmp_path / "photos")], rule).notes]


def test_photos_that_are_understood_need_no_line(tmp_path: Path) -> None:
    assert lines(tmp_path, ["anna/1.jpg", "anna/2.jpg", "ben/1.jpg"]) == []


def test_names_that_differ_by_case_only(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, ["Anna/1.jpg", "anna/2.jpg", "anna/3.jpg", "ben/1.jpg"])
    assert line == (
        "'Anna' (1) and 'anna' (2) differ by upper and lower case only and are different people: "
        "rename one if they are not"
    )


def test_composed_and_decomposed_names_and_outer_blanks_are_one_person(tmp_path: Path) -> None:
    assert lines(tmp_path, ["J\u00f6rg/1.jpg", "Jo\u0308rg/2.jpg", "Ben/1.jpg", "Ben /2.jpg"]) == []
    items = list_sources([str(tmp_path / "photos")]).items
    assert {item.identity for item in items} == {"Jörg", "Ben"}


def test_names_that_differ_by_blanks_or_forms_of_letters_only(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, ["Anna  Lee/1.jpg", "Anna\u00a0Lee/2.jpg", "anna lee/3.jpg", "ben/1.jpg"])
    assert "'Anna  Lee' (1) and 'Anna\\xa0Lee' (1) and 'anna lee' (1) differ by blanks or forms of letters" in line


@pytest.mark.parametrize(
    "mark", ["\u202a{}\u202c", "{}\u200f", "\u2068{}\u2069", "\ufeff{}", "\u00ad{}\u2009", "{}\x85"]
)
def test_marks_that_nobody_sees_at_the_ends_make_no_other_person(tmp_path: Path, mark: str) -> None:
    assert lines(tmp_path, ["anna/1.jpg", f"{mark.format('anna')}/2.jpg", "ben/1.jpg"]) == []
    assert {item.identity for item in list_sources([str(tmp_path / "photos")]).items} == {"anna", "ben"}


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "NULL", "n_a"])
def test_what_programs_write_for_nothing_is_a_name_and_told(tmp_path: Path, name: str) -> None:
    told = lines(tmp_path, [f"{name}/1.jpg", "ben/1.jpg"])
    assert [line.startswith("identities that programs write where there is none") for line in told] == [True] * (
        name != "n_a"
    )
    assert {item.identity for item in list_sources([str(tmp_path / "photos")]).items} == {name, "ben"}


def test_a_folder_that_may_be_one_persons_is_told(tmp_path: Path) -> None:
    found = lines(tmp_path, ["1.jpg", "holiday/2.jpg", "work/3.jpg"])
    assert [line.removeprefix(str(tmp_path)) for line in found] == [
        "/photos: photos directly in it are of 'photos', those in folders below it of 'holiday', 'work': if it is one "
        "person's, name the folder above it, or say where names stand with --pattern"
    ]
    assert lines(tmp_path, ["1.jpg"], LabelRule("{identity}/*.jpg")) == []
    people = [str(tmp_path / "people" / name) for name in ("anna", "ben")]
    for folder in people:
        for name in ("1.jpg", "holiday/2.jpg"):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\xff\xd8\xff")
    assert len(list_sources(people).notes) == 2
    assert list_sources([str(tmp_path / "people")]).notes == ()


@pytest.mark.parametrize("top", [("train", "test"), ("Images", "photos"), ("train", "val", "test")])
def test_folders_of_splits_are_nobodys_names(tmp_path: Path, top: tuple[str, ...]) -> None:
    told = lines(tmp_path, [f"{folder}/anna/1.jpg" for folder in top])
    assert told[-1].endswith("are no names of people: name the folders inside, or say where names stand with --pattern")
    assert lines(tmp_path, ["train/anna/1.jpg", "carla/2.jpg"]) == []


def test_all_photos_of_one_person(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, ["1.jpg", "2.jpg", "3.jpg"])
    assert line.startswith("all 3 pictures are of one person, 'photos': if not,")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("1.jpg,anna,\n2.jpg,,\n3.jpg,ben,\n", "1 of 3 pictures have no identity: label them"),
        ("1.jpg,,\n2.jpg,,\n", "no picture has an identity: put each person's photos into a folder"),
        ("1.jpg,anna,sad\n2.jpg,ben,\n", "1 of 2 pictures have no expression"),
    ],
)
def test_labels_on_a_part_of_the_rows(tmp_path: Path, rows: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(f"uri,identity,expression\n{rows}")
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8\xff")
    (note,) = list_sources([str(tmp_path / "list.csv")]).notes
    assert note.text.startswith(says)
    assert list_sources([str(tmp_path / "list.csv")], LabelRule(identity="cluster")).notes == (
        (note,) if "expression" in says else ()
    )


def test_a_note_has_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "a?token=PLANTED.csv").write_text("uri,person\na.jpg,anna\n")
    notes = list_sources([str(tmp_path / "a?token=PLANTED.csv")]).notes
    assert any("'person'" in note.text for note in notes)
    assert "PLANTED" not in str(notes)


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        ("/a/b/1.jpg", ("a", "b")),
        ("./a/../b/1.jpg", ("a", "b")),
        ("C:\\a\\b\\1.jpg", ("a", "b")),
        ("a\\b/1.jpg", ("a\\b",)),
        ("1.jpg", ()),
        ("", ()),
    ],
)
def test_the_folders_of_a_path(path: str, folders: tuple[str, ...]) -> None:
    assert folders_of(path) == folders


@pytest.mark.parametrize(
    ("paths", "people"),
    [
        (["anna/1", "anna/2", "ben/1"], ["anna", "anna", "ben"]),
        (["x/anna/1", "x/ben/2"], ["anna", "ben"]),
        (["x/y/anna/1", "x/y/ben/2", "x/y/ben/z/2"], ["anna", "ben", "ben"]),
        (["x/anna/1", "x/anna/2"], ["anna", "anna"]),
        (["anna/1", "anna/holiday/2"], ["anna", "anna"]),
        (["x/cover", "x/anna/1", "x/ben/2"], ["x", "anna", "ben"]),
        (["1", "2"], [None, None]),
        (["1", "x/anna/2", "x/ben/3"], [None, "anna", "ben"]),
    ],
)
def test_the_first_folder_below_the_shared_ones_is_a_person(paths: list[str], people: list[str | None]) -> None:
    top = TopFolders.of(paths)
    assert [top.person(path) for path in paths] == people
