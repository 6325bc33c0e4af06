"""write_report: what became of the photos of a prepared set."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from mien.storage import Root
from mien.tasks.pages.set_report import Report
from mien.tasks.pages.steps import build_report
from mien.tasks.sets.faces import face_tables


@flow(name="write-report", flow_run_name="report on {data}")
def write_report(data: str, root: str = "./data", out: str | None = None, most: int = 48) -> Report:
    """Write a page on a prepared set: counts by reason, histograms of the measures, sheets of faces.

    Args:
        data: Prepared set.
        root: Where the tables lie.
        out: Folder to write index.html into; {root}/reports/{data} if empty.
        most: Faces to show at most of each reason.
    """
    place = Root(root)
    face_tables(place, data)
    page = build_report(place, data, Root(out or f"{root}/reports/{data}"), most)
    create_markdown_artifact(f"{page.summary}\n\nReport: {page.uri}", key="prepared-faces", description=data)
    return page
