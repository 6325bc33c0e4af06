"""verify_set: is a set complete and undamaged?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefect import flow

from mien.flows.parameters import ROOT, RootUrl, SetName
from mien.flows.result import FlowResult
from mien.storage import Root, read_set
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.steps import verify


@dataclass(frozen=True)
class VerifiedSet(FlowResult):
    """What was looked at, and what is wrong."""

    set: str
    rows: Mapping[str, int]
    """By table."""
    pictures: int
    """Decoded."""
    faults: tuple[str, ...]
    """One line each."""

    def lines(self) -> list[str]:
        rows = ", ".join(f"{count} {table}" for table, count in self.rows.items())
        verdict = f"{len(self.faults)} faults" if self.faults else "whole"
        return [*self.faults, f"{self.set}: {verdict}; {rows}; {self.pictures} pictures decoded"]

    @property
    def ok(self) -> bool:
        return not self.faults


def check_arguments(*, set: str, root: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        read_set(Root(root), set)


@flow(name="verify-set", flow_run_name="verify {set}")
def verify_set(*, set: SetName, root: RootUrl = ROOT) -> VerifiedSet:
    """Check every manifest, shard, row and picture of a set; exit code 1 if anything is wrong.

    Args:
        set: Prepared or generated set; the sets that it was made from are checked, too.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
    """
    check_arguments(set=set, root=root)
    with worker_pool(1), checking_arguments():
        found = verify(Root(root), set)
    return VerifiedSet(set, found.rows, found.pictures, tuple(found.faults))
