"""reproduce_face: one generated face made again from its lineage."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from mien.storage import Root
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.transfer.reproduce import Reproduction
from mien.tasks.transfer.steps import reproduce


@flow(name="reproduce-face")
def reproduce_face(
    output_id: str, root: str = "./data", name: str | None = None, out: str | None = None
) -> Reproduction:
    """Make a generated face again and compare its bytes with those that were stored.

    Args:
        output_id: Of the row of transfers.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        name: Generated set; all are searched if empty.
        out: File to write the picture to; none if empty.
    """
    with worker_pool(1):
        done = reproduce(Root(root), output_id, name)
    if out and done.image is not None:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_bytes(done.image)
    return done


def outcome(done: Reproduction) -> str:
    """One line for users."""
    if done.same:
        return f"{done.output_id}: the same bytes"
    because = (
        f": {done.because}" if done.because else ", though code, weights and settings are: another kind of device?"
    )
    return f"{done.output_id}: other bytes{because}"
