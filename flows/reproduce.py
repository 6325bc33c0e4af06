"""reproduce_face: one generated face made again from its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.flows.parameters import ROOT, RootUrl, SetName, Text
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.storage import Root, read_set
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.transfer.steps import reproduce


@dataclass(frozen=True)
class ReproducedFace(FlowResult):
    """What came of making a face again."""

    output_id: str
    same: bool
    """Whether the bytes are those that were stored."""
    image: bytes | None
    because: str
    """What differs, if anything is known to."""

    def lines(self) -> list[str]:
        if self.same:
            return [f"{self.output_id}: the same bytes"]
        because = (
            f": {self.because}" if self.because else ", though code, weights and settings are: another kind of device?"
        )
        return [f"{self.output_id}: other bytes{because}"]

    @property
    def ok(self) -> bool:
        return self.same


def check_arguments(*, set: str | None, root: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        opened_root = Root(root)
        if set is not None:
            read_set(opened_root, set)


@flow(name="reproduce-face")
def reproduce_face(
    output_id: Text, *, set: SetName | None = None, root: RootUrl = ROOT, out: Text | None = None
) -> ReproducedFace:
    """Make a generated face again from its lineage and compare the bytes.

    Args:
        output_id: Of the row of transfers.
        set: Generated set; all are searched if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        out: File to write the picture to; none if empty.
    """
    check_arguments(set=set, root=root)
    with worker_pool(1):
        done = reproduce(Root(root), output_id, set)
    if out and done.image is not None:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_bytes(done.image)
    return ReproducedFace(done.output_id, done.same, done.image, done.because)
