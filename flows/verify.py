"""verify_set: is a set complete and undamaged?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mien.flows.parameters import ROOT, Count, RootUrl, Seed, SetName
from mien.flows.result import FlowResult, as_block, as_rows
from mien.flows.scrubbed_flow import flow
from mien.storage import Root, read_set
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.steps import verify


@dataclass(frozen=True)
class VerifiedSet(FlowResult):
    """What was compared, and what is wrong."""

    set: str
    rows: Mapping[str, int]
    """By table."""
    pictures: int
    """Decoded."""
    faults: tuple[str, ...]
    """One line each."""
    compared: Mapping[str, int] = field(default_factory=dict)
    """How often what was compared."""
    left_out: tuple[str, ...] = ()
    """What could not be compared, one line each."""

    @property
    def whole(self) -> bool:
        """Nothing is wrong, and everything was compared."""
        return bool(self.compared) and not self.faults and not self.left_out

    def lines(self) -> list[str]:
        rows = ", ".join(f"{count} {table}" for table, count in self.rows.items())
        compared = ", ".join(f"{count} {what}" for what, count in self.compared.items())
        return [
            *self.faults,
            *(f"not compared: {line}" for line in self.left_out),
            f"compared: {compared or 'nothing'}",
            f"{self.set}: {self._verdict()}; {rows or 'no rows'}; {self.pictures} pictures decoded",
        ]

    def report(self) -> str:
        compared = as_rows(["compared", "how often"], list(self.compared.items()))
        gone = [*self.faults, *(f"not compared: {line}" for line in self.left_out)]
        return "\n\n".join([self.lines()[-1], compared, *([as_block(gone)] if gone else [])])

    def _verdict(self) -> str:
        if self.faults:
            return "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        if self.left_out:
            return f"no fault found, {len(self.left_out)} comparisons left out"
        return "whole" if self.whole else "nothing was compared"

    @property
    def ok(self) -> bool:
        return not self.faults


def check_arguments(*, set: str, root: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        read_set(Root(root), set)


@flow(name="verify-set", flow_run_name="verify {set}")
def verify_set(*, set: SetName, root: RootUrl = ROOT, deep: Count | None = None, seed: Seed = 0) -> VerifiedSet:
    """Check every manifest, shard, row and picture of a set; exit code 1 if anything is wrong.

    Args:
        set: Prepared or generated set; the sets that it was made from are checked, too.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        deep: Detect so many faces again, from their photos, and generate so many transfers again; none if empty.
        seed: Another seed, another choice of what is made again.
    """
    check_arguments(set=set, root=root)
    opened_root = Root(root)
    with worker_pool(1), checking_arguments():
        found = verify(opened_root, set)
        if deep is not None:
            # Only here: it loads the generator's libraries.
            from mien.tasks.transfer.steps import recompute

            again = recompute(opened_root, set, deep, seed)
            found.faults += again.faults
            found.left_out += again.left_out
            found.done.update(again.done)
    return VerifiedSet(set, found.rows, found.pictures, tuple(found.faults), dict(found.done), tuple(found.left_out))
