"""write_gallery: a page of generated faces."""

from __future__ import annotations

from dataclasses import dataclass

from mien.flows.parameters import ROOT, Count, RootUrl, SetName, Text
from mien.flows.result import FlowResult, as_link
from mien.flows.scrubbed_flow import flow
from mien.storage import Root, list_sets, newest_first
from mien.storage.outputs import note_output
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.pages.steps import build_gallery


@dataclass(frozen=True)
class WrittenGallery(FlowResult):
    """Where a gallery lies and what it shows."""

    uri: str
    summary: str
    """Markdown: counts, reasons, medians."""

    def lines(self) -> list[str]:
        return [self.uri]

    def report(self) -> str:
        return f"{self.summary}\n\n{as_link('Gallery', self.uri)}"


def check_arguments(*, set: str | None, root: str, out: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        Root(out)
        chosen_transfers(Root(root), set)


@flow(name="write-gallery")
def write_gallery(
    *, out: Text, set: SetName | None = None, root: RootUrl = ROOT, max_faces: Count | None = None
) -> WrittenGallery:
    """Write a page of generated faces beside their sources and drivers.

    With more than 100 faces the pictures lie in a folder beside the page.

    Args:
        out: Folder to write index.html into.
        set: Generated set; the newest if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        max_faces: Faces to show at most, evenly spaced over the table; all if empty.
    """
    check_arguments(set=set, root=root, out=out)
    opened_root = Root(root)
    transfers = chosen_transfers(opened_root, set)
    note_output(opened_root, "page", Root(out), transfers)
    page = build_gallery(opened_root, transfers, Root(out), max_faces)
    return WrittenGallery(page.uri, page.summary)


def chosen_transfers(root: Root, name: str | None) -> str:
    """The `transfers` table that is meant (without a name the newest), by its fingerprint.

    Raises:
        UsageError: the root has none, or none of that name.
    """
    generated = {s.name: s.tables["transfers"] for s in list_sets(root) if "transfers" in s.tables}
    if name is None and generated:
        return generated[newest_first(root, generated)[0]]
    if name not in generated:
        known = ", ".join(sorted(generated)) or "none yet: run mien augment"
        raise UsageError(f"there is no generated set {name or ''} in {root.url}; it holds {known}")
    return generated[name]
