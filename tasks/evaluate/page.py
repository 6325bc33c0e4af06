"""The page of an evaluation: its tables, and its sheets of pictures, which lie beside it."""

from __future__ import annotations

from collections.abc import Iterator

from mien.model.images.codec import encode_png
from mien.storage import Root
from mien.tasks.evaluate.results import Evaluation
from mien.tasks.evaluate.sheets import draw_sheets
from mien.tasks.evaluate.tables import as_json, as_table, tables
from mien.tasks.pages.html import templates

PAGE = "evaluation.html"


def write_page(root: Root, evaluation: Evaluation, out: Root, title: str) -> str:
    """Writes evaluation.html, .md, .json and the sheets as PNG into a folder; the page's URI."""
    sheets = list(_sheets(root, evaluation, out))
    page = templates.get_template("evaluation.html.j2").render(
        title=title,
        tables=tables(evaluation),
        sheets=sheets,
        rivals=dict(evaluation.inputs.rivals),
        notes=evaluation.notes,
    )
    out.write_bytes("evaluation.md", as_table(evaluation).encode())
    out.write_bytes("evaluation.json", as_json(evaluation).encode())
    out.write_bytes(PAGE, page.encode())
    return f"{out.url}/{PAGE}"


def _sheets(root: Root, evaluation: Evaluation, out: Root) -> Iterator[dict[str, object]]:
    """Each sheet is written as it is drawn: one of them is in memory at a time."""
    for plan, sheet in draw_sheets(root, evaluation.inputs, evaluation.sheets):
        path = f"evaluation/{plan.name}.png"
        out.write_bytes(path, encode_png(sheet))
        yield {"title": plan.title, "picture": path, "captions": plan.captions}
