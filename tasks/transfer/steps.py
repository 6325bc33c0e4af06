"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.runtime.prefect_tasks import once
from mien.tasks.transfer.gate_limits import calibrate as _calibrate
from mien.tasks.transfer.gate_limits import gate_for as _gate_for
from mien.tasks.transfer.photo_pair import transfer_photos as _transfer_photos
from mien.tasks.transfer.recompute import recompute as _recompute
from mien.tasks.transfer.reproduce import reproduce as _reproduce

transfer_photos = once("transfer-photos")(_transfer_photos)
calibrate = once("calibrate-gate")(_calibrate)
gate_for = once("find-the-limits-of-the-gate")(_gate_for)
reproduce = once("reproduce-face")(_reproduce)
recompute = once("recompute-sample")(_recompute)
