"""Which files belong to pages: all of ours, and nothing else."""

from __future__ import annotations

import pytest

from mien.storage import Root
from mien.tasks.pages.files import files_of_folder, page_files

SHEET = f"gallery-sheets/{'a1' * 16}.jpg"
OWN = b"<!doctype html><title>mien: 3 generated faces</title>"


@pytest.fixture
def root() -> Root:
    found = Root("memory://page-files")
    for path in found.files_below():
        found.delete(path)
    return found


def test_a_gallery_goes_with_its_sheets_and_its_page_last(root: Root) -> None:
    for path in (f"galleries/x/{SHEET}", "galleries/x/index.html", "photos/index.html", "photos/a.jpg"):
        root.write_bytes(path, OWN if path == "galleries/x/index.html" else b"<title>other</title>")
    assert page_files(root, root.files_below()) == [f"galleries/x/{SHEET}", "galleries/x/index.html"]


def test_what_a_killed_writer_left_goes_too(root: Root) -> None:
    name = f"gallery-sheets/.{'b2' * 16}.jpg.{'0' * 32}.tmp"
    for path in (SHEET, name, "gallery-sheets/holiday.jpg"):
        root.write_bytes(path, b"a picture")
    assert set(page_files(root, root.files_below())) == {SHEET, name}


def test_an_evaluation_goes_with_its_tables_and_sheets(root: Root) -> None:
    parts = ["evaluation.json", "evaluation.md", "evaluation/val-l1-best.png"]
    for path in (*parts, "evaluation/notes.txt", "elsewhere/evaluation.md"):
        root.write_bytes(path, b"of an evaluation")
    assert page_files(root, root.files_below()) == []
    root.write_bytes("evaluation.html", OWN)
    assert page_files(root, root.files_below()) == [*parts, "evaluation.html"]


def test_of_a_folder_outside_only_what_pages_are_made_of_is_looked_at(root: Root) -> None:
    for path in (SHEET, "index.html", "deeper/index.html", f"deeper/{SHEET}", "evaluation/val-l1-best.png"):
        root.write_bytes(path, OWN)
    assert set(files_of_folder(root)) == {SHEET, "index.html", "evaluation/val-l1-best.png"}
