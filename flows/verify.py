"""verify_set: is a set whole?"""

from __future__ import annotations

from prefect import flow

from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.steps import verify
from mien.tasks.sets.verify import Verified


@flow(name="verify-set", flow_run_name="verify {data}")
def verify_set(data: str, root: str = "./data") -> Verified:
    """Look at every manifest, shard, row and picture of a set, and of the sets it was made from.

    Args:
        data: Prepared or generated set.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
    """
    with worker_pool(1), checking_arguments():
        return verify(Root(root), data)


def outcome(data: str, found: Verified) -> list[str]:
    """A line for each fault, and one that sums up."""
    rows = ", ".join(f"{count} {table}" for table, count in found.rows.items())
    verdict = f"{len(found.faults)} faults" if found.faults else "whole"
    return [*found.faults, f"{data}: {verdict}; {rows}; {found.pictures} pictures decoded"]
