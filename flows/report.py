"""write_report: what became of the photos of a prepared set."""

from __future__ import annotations

from dataclasses import dataclass

from mien.flows.parameters import ROOT, Count, RootUrl, SetName, Text
from mien.flows.result import FlowResult, as_link
from mien.flows.scrubbed_flow import flow
from mien.storage import Root
from mien.storage.outputs import note_output
from mien.tasks.errors import checking_arguments
from mien.tasks.pages.steps import build_report
from mien.tasks.sets.faces import face_tables


@dataclass(frozen=True)
class WrittenReport(FlowResult):
    """Where a report lies and what it says."""

    uri: str
    summary: str
    """Markdown: counts by reason, spread of the measures."""

    def lines(self) -> list[str]:
        return [*self.summary.splitlines(), self.uri]

    def report(self) -> str:
        return f"{self.summary}\n\n{as_link('Report', self.uri)}"


def check_arguments(*, set: str, root: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        face_tables(Root(root), set)


@flow(name="write-report", flow_run_name="report on {set}")
def write_report(
    *, set: SetName, root: RootUrl = ROOT, out: Text | None = None, max_faces: Count = 48
) -> WrittenReport:
    """Write a page on a prepared set: why faces were rejected, their measures, sheets of them.

    Args:
        set: Prepared set.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        out: Folder to write index.html into; {root}/reports/{set} if empty.
        max_faces: Faces to show at most of each reason.
    """
    check_arguments(set=set, root=root)
    note_output(Root(root), "page", Root(out or f"{root}/reports/{set}"), set)
    page = build_report(Root(root), set, Root(out or f"{root}/reports/{set}"), max_faces)
    return WrittenReport(page.uri, page.summary)
