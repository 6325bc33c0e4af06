"""calibrate_gate: the limits that generated faces are judged by, from the real photos of a set."""

from __future__ import annotations

from prefect import flow

from storage import Root
from tasks import steps
from tasks.calibration import PAIRS, keep_gate
from tasks.faces import face_tables
from tasks.pool import worker_pool


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
        calibration = steps.calibrate(place, face_tables(place, data), pairs)
    kept = keep_gate(place, data, calibration)
    return f"{calibration.table()}\n\nkept in {kept}; mien augment --gate {data} judges by it"
