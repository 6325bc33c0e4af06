"""What prepare_faces leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

from mien.flows.result import FlowResult, as_link, as_rows
from mien.storage import TableRef


@dataclass(frozen=True)
class PreparedFaces(FlowResult):
    """The tables of a prepared set, and what became of its photos."""

    set: str
    root: str
    """As the caller named it."""
    images: TableRef
    faces: TableRef
    heatmaps: TableRef
    photos: int
    unreadable: int
    usable: int
    """Faces, as `rejected` and `failed`."""
    rejected: int
    failed: int
    left_out: tuple[str, ...]
    """A line for each reason for which photos were left out before a face was looked for."""
    identities: tuple[str, ...]
    """Lines on identities, where they were grouped or checked."""
    failures: str | None = None
    """How many photos failed, of each kind, if any did."""
    reasons: tuple[tuple[str, str, int], ...] = ()
    """Status, reason without its numbers, and rows, of photos and faces that went no further."""
    training: str | None = None
    """What a training needs of the set, and what the set has of it."""

    def report(self) -> str:
        lines = [self.summary(), *self.left_out, *self.identities, *filter(None, (self.failures, self.training))]
        counts = as_rows(["status", "why not", "rows"], self.reasons) if self.reasons else ""
        return "\n\n".join(filter(None, [*lines, counts, as_link("Table of faces", self.faces.uri)]))

    def summary(self) -> str:
        """One line: photos and faces in numbers."""
        return (
            f"{self.set}: {self.photos} photos ({self.unreadable} unreadable), "
            f"{self.usable} faces usable, {self.rejected} rejected, {self.failed} failed"
        )

    def lines(self) -> list[str]:
        more = filter(None, (self.failures, self.training))
        return [self.summary(), *self.left_out, *self.identities, *more, self.next_step()]

    def next_step(self) -> str:
        """What a user does now."""
        if not self.usable:
            return f"no face is usable: mien report --root {self.root} --set {self.set} shows why"
        return f"next: mien train --root {self.root} --set {self.set} --minutes 30"
