"""calibrate_gate: the limits that generated faces are judged by, from the real photos of a set."""

from __future__ import annotations

from prefect import flow

from mien.storage import Root
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.faces import face_tables
from mien.tasks.transfer.gate_limits import PAIRS, keep_gate
from mien.tasks.transfer.steps import calibrate


@flow(name="calibrate-gate", flow_run_name="calibrate on {data}")
def calibrate_gate(data: str, root: str = "./data", pairs: int = PAIRS) -> str:
    """Measure what real photos of one person and of different people reach, and keep the limits for `augment --gate`.

    Args:
        data: Prepared set with several photos of each person.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        pairs: Pairs of photos to compare.
    """
    place = Root(root)
    with worker_pool(1):
        calibration = calibrate(place, face_tables(place, data), pairs)
    kept = keep_gate(place, data, calibration)
    return f"{calibration.table()}\n\nkept in {kept}; mien augment --gate {data} judges by it"
