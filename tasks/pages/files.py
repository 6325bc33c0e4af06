"""The files that pages are made of: what has to go where a person is removed from the pages of a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mien.storage import MissingError, Root
from mien.tasks.pages.gallery_sheets import FOLDER, SHEET

_WITH_FOLDER = ("evaluation", "experiment")
"""Pages whose files have the page's name, and whose pictures lie in a folder of that name."""
_PAGES = ("index.html", *(f"{name}.html" for name in _WITH_FOLDER))
_OWN = b"<title>mien"
_HEAD_BYTES = 8192
"""Of a page; its title stands there."""
_PARTS = re.compile(rf"(?P<page>{'|'.join(_WITH_FOLDER)})(?:\.md|\.json|/[\w-]+\.png)")
_TEMPORARY = re.compile(rf"\.(?:[0-9a-f]{{32}}\.jpg|(?:index|{'|'.join(_WITH_FOLDER)})\.html)\.[0-9a-f]{{32}}\.tmp")
"""Name of what a killed writer of a page leaves."""


def page_files(root: Root, paths: Iterable[str]) -> list[str]:
    """Those of the files below a root that are pages of this project, or belong to one; the pages come last, since they
    tell what belongs to them.

    Sheets of a gallery count also where there is no page: a killed writer leaves them behind.
    """
    paths = sorted(paths)
    pages = [path for path in paths if path.rpartition("/")[2] in _PAGES and _is_own(root, path)]
    stems = {path.removesuffix(".html") for path in pages}
    return [*(path for path in paths if SHEET.fullmatch(path) or _belongs(path, stems)), *pages]


def files_of_folder(out: Root) -> list[str]:
    """Paths in a folder that pages were written to, without what lies deeper: the folder may hold much else."""
    folders = {"": "", **{name: f"{name}/" for name in (FOLDER, *_WITH_FOLDER)}}
    return [prefix + file.name for folder, prefix in folders.items() for file in out.files(folder)]


def _belongs(path: str, stems: set[str]) -> bool:
    """Whether a file is part of a page beside it: `stems` are the paths of the pages without their ending."""
    for start in (0, *(found.end() for found in re.finditer("/", path))):
        part = _PARTS.fullmatch(path, start)
        if part is not None and path[:start] + part["page"] in stems:
            return True
    return _TEMPORARY.fullmatch(path.rpartition("/")[2]) is not None


def _is_own(root: Root, path: str) -> bool:
    try:
        with root.open(path) as file:
            return _OWN in file.read(_HEAD_BYTES)
    except MissingError:
        return False
