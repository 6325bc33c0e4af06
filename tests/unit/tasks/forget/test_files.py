"""Pages that show a person, with the pictures beside them, are found wherever they lie."""

from __future__ import annotations

from pathlib import Path

from mien.storage import Root
from mien.storage.outputs import note_output
from mien.tasks.forget.files import planned_files, remove_outputs
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.subject import Asked
from mien.tasks.pages.gallery import MAX_ROWS_WITHIN, build_gallery
from tests.gallery_root import face, transfer, write_generated

ROWS = MAX_ROWS_WITHIN + 1


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_galleries_of_the_root_and_outside_go_with_their_sheets(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    table = write_generated(root, [face(n) for n in range(8)], ROWS, lambda n: transfer(n, n % 8, (n + 1) % 8))
    for folder in ("root/galleries/made", "outside", "of-another"):
        build_gallery(root, table, Root(str(tmp_path / folder)))
    note_output(root, "page", Root(str(tmp_path / "outside")), table)
    note_output(root, "page", Root(str(tmp_path / "of-another")), "f" * 32)
    (tmp_path / "outside" / "own.jpg").write_bytes(b"of the user")
    pictures = len(files(tmp_path / "outside")) - 2
    assert pictures == len(files(tmp_path / "of-another")) - 1 > 3
    journal = Journal(Asked("person 1"), former=[table])

    planned = [path for path, _ in planned_files(root, journal)]
    assert planned[-1] == "galleries/made/index.html"
    assert sum(path.startswith("galleries/made/gallery-sheets/") for path in planned) == pictures
    remove_outputs(root, journal)
    assert files(tmp_path / "outside") == {"own.jpg"}
    assert "index.html" in files(tmp_path / "of-another")
    assert journal.outputs[str(tmp_path / "outside")] == f"page: {pictures + 1} files deleted"
