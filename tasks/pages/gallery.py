"""The gallery: a page of generated faces, each beside its source and driver, with its numbers.

    index.html                 the page with all its rows, without pictures
    gallery-sheets/….jpg       the pictures; within the page where it shows few rows

The page is written after its sheets, and what belonged to a former one is deleted at last: whoever looks sees the
former gallery or the whole new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.storage import Manifest, MissingError, Root, read_manifest
from mien.tasks.pages.gallery_faces import Faces
from mien.tasks.pages.gallery_gate import gate_section
from mien.tasks.pages.gallery_page import GalleryHead, render_gallery
from mien.tasks.pages.gallery_rows import GalleryRows
from mien.tasks.pages.gallery_sheets import (
    Encode,
    SheetPictures,
    beside,
    encode_generated,
    encode_jpeg,
    remove_former,
    within,
)
from mien.tasks.pages.gallery_summary import markdown, summarise
from mien.tasks.runtime.progress import progress
from mien.tasks.sets.faces import FaceTables

PAGE = "index.html"
MAX_ROWS_WITHIN = 100
"""With more rows the pictures lie beside the page."""


@dataclass(frozen=True)
class Gallery:
    """Where a gallery lies and what it shows."""

    uri: str
    summary: str
    """Markdown: counts, reasons, medians."""


def gallery_by_another(out: Root) -> Gallery:
    """The gallery that another rank of the job writes: one is enough."""
    return Gallery(f"{out.url}/{PAGE}", "Another rank of the job writes the gallery.")


def build_gallery(root: Root, transfers: str, out: Root, max_faces: int | None = None) -> Gallery:
    """Writes the gallery of a `transfers` table to `out`/index.html.

    All rows are shown, or `max_faces` of them, evenly spaced over the table's order, so that nobody chose them. The
    numbers at the top are of all rows. What is held in memory grows with the rows, by some hundred bytes each, and not
    with their pictures.
    """
    manifest = read_manifest(root, "transfers", transfers)
    former = _written(out)
    count = manifest.rows if max_faces is None else min(max_faces, manifest.rows)
    keep = within if count <= MAX_ROWS_WITHIN else beside(out)

    def pictures(encode: Encode = encode_jpeg) -> SheetPictures:
        return SheetPictures(keep, encode)

    results, photos = pictures(encode_generated), pictures()
    tables = _face_tables(manifest)
    faces = {table: Faces() for table in tables}
    rows = GalleryRows(faces[tables[0]], faces[tables[-1]], results)
    with progress("write the gallery", count, "faces") as advance:
        rows.read(root, manifest, max_faces, advance)
    with progress("write sources and drivers", sum(map(len, faces.values())), "faces") as advance:
        described = [found.read(root, table, photos, advance) for table, found in faces.items()]
    data = {
        "rows": rows.packed(),
        "sources": described[0],
        "drivers": None if len(described) == 1 else described[-1],
        "pictures": {"result": results.finish(), "photo": photos.finish()},
    }
    summary = summarise(rows.totals)
    head = GalleryHead(
        summary, rows.shown(), root.url, transfers, gate_section(root, manifest), embedded=keep is within
    )
    out.write_bytes(PAGE, render_gallery(head, data).encode())
    shown: Any = data["pictures"]
    remove_former(out, {path for kind in shown.values() for size in ("small", "full") for path in kind[size]}, former)
    return Gallery(f"{out.url}/{PAGE}", markdown(summary))


def _written(out: Root) -> Any:
    """When the present page was written; None where there is none."""
    try:
        return out.modified(PAGE)
    except MissingError:
        return None


def _face_tables(manifest: Manifest) -> list[str]:
    """The tables of the sources and of the drivers, once if they are the same: a photo may be in both."""
    about: Any = manifest.about
    sets = [FaceTables(**tables) for tables in about["settings"]["sets"]]
    return list(dict.fromkeys((sets[0].faces, sets[-1].faces)))
