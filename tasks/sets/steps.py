"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.runtime.prefect_tasks import once
from mien.tasks.sets.verify import verify as _verify

verify = once("verify-set")(_verify)
